"""The page of all settings, generated: ``python -m tests.settings.page`` writes it."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from hubblewatch.settings import Settings
from hubblewatch.settings.fields import block_of

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

HEAD = """# Settings

Every setting with its default. They are read from a YAML file (`--config`), and from variables,
which win: `window.size_seconds` is `HUBBLEWATCH_WINDOW__SIZE_SECONDS`, and
`detectors.port-scan.ports` is `HUBBLEWATCH_DETECTORS__PORT_SCAN__PORTS`. A variable for a list has
JSON in it, such as `HUBBLEWATCH_HUBBLE__ONLY__NAMESPACES='["shop"]'`. In YAML `-` and `_` are the
same in names. What is wrong is told with its place, before anything begins.

This page is made from the settings themselves (`python -m tests.settings.page`), and a test
compares them. What a detector's numbers mean is in [Detectors](detectors.md) and the runbooks.
"""

TABLE = "| setting | default | range | |\n| --- | --- | --- | --- |\n"


def page() -> str:
    """Give the page's text."""
    parts = [HEAD]
    for title, rows in _sections(Settings):
        parts.append(
            f"\n## {title}\n\n| setting | default | range | |\n| --- | --- | --- | --- |\n"
        )
        parts += [f"| {' | '.join(row)} |\n" for row in rows]
    return "".join(parts)


def _sections(model: type[BaseModel]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    plain = [
        _row((name,), field)
        for name, field in model.model_fields.items()
        if block_of(model, name) is None
    ]
    yield "General", plain
    for name in model.model_fields:
        block = block_of(model, name)
        if block is None:
            continue
        if name == "detectors":
            for detector in block.model_fields:
                settings = block_of(block, detector)
                assert settings is not None
                shown = detector.replace("_", "-")
                yield f"detectors.{shown}", list(_rows(settings, ("detectors", shown)))
        else:
            yield name, list(_rows(block, (name,)))


def _rows(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        block = block_of(model, name)
        if block is None:
            yield _row((*path, name), field)
        else:
            yield from _rows(block, (*path, name))


def _row(path: tuple[str, ...], field: FieldInfo) -> tuple[str, ...]:
    described = " ".join((field.description or "Whether it runs.").split())
    return f"`{'.'.join(path)}`", _default(field), _range(field), described.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, SecretStr) or field.is_required():
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return "`[" + ", ".join(map(str, items)) + "]`"
    return f"`{value}`" if str(value) else '`""`'


def _range(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    told = []
    for bound in field.metadata:
        for kind, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            value = getattr(bound, kind, None)
            if value is not None and isinstance(bound, annotated_types.BaseMetadata):
                told.append(f"{sign} {value:,.12g}")
    return ", ".join(told)


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for part in get_args(annotation) for choice in _choices(part)]
    return []


if __name__ == "__main__":
    PAGE.write_text(page())
