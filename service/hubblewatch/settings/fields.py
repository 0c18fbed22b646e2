"""Finds the way about in a settings model: its blocks, its paths, its secrets."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr


def block_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the block that is ``model``'s field ``name``, or None if that is no block."""
    field = model.model_fields.get(name)
    if field is None:
        return None
    return next((kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)), None)


def list_at(model: type[BaseModel], path: Sequence[str]) -> list[type] | None:
    """Return the classes in the list that the field at ``path`` is, or None if it is no list."""
    *blocks, last = path
    for step in blocks:
        block = block_of(model, field_name(model, step))
        if block is None:
            return None
        model = block
    field = model.model_fields.get(field_name(model, last))
    if field is None or get_origin(field.annotation) is not tuple:
        return None
    return _kinds(field.annotation)


def is_secret(model: type[BaseModel], path: Sequence[str | int]) -> bool:
    """Return whether the field at ``path`` is declared as a secret."""
    for step in path:
        name = field_name(model, str(step))
        field = model.model_fields.get(name)
        if field is None:
            return False
        kinds = _kinds(field.annotation)
        if any(issubclass(kind, SecretStr | SecretBytes) for kind in kinds):
            return True
        block = block_of(model, name)
        if block is None:
            return False
        model = block
    return False


def field_name(model: type[BaseModel], step: str) -> str:
    """Return the name of the field that ``step`` names or is the alias of, else ``step``."""
    for name, field in model.model_fields.items():
        if step in (name, field.alias):
            return name
    return step


def field_names(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the fields of the block at ``path``; none if there is no block."""
    for step in path:
        block = block_of(model, field_name(model, str(step)))
        if block is None:
            return []
        model = block
    return list(model.model_fields)


def _kinds(annotation: Any) -> list[type]:
    """Return the classes in an annotation such as ``Block | None``."""
    found = [annotation] if isinstance(annotation, type) else []
    for argument in get_args(annotation):
        found += _kinds(argument)
    return found
