"""The settings file: YAML with the model's own field names."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.fields import block_of

MAX_FILE_BYTES = 1 << 20
"""A settings file larger than this is some other file."""


def read_settings_file(path: Path, model: type[BaseModel]) -> dict[str, Any]:
    """Return what ``path`` sets, keys as ``model`` names its fields (``a-b`` stands for ``a_b``).

    An empty file sets nothing. Raises ConfigurationError when the file cannot be read, is not YAML,
    or is no mapping.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the settings file {path}: {error.strerror}; check "
            "--config, or HUBBLEWATCH_CONFIG"
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationError(
            f"the settings file {path} is larger than {MAX_FILE_BYTES} bytes; check "
            "--config, or HUBBLEWATCH_CONFIG"
        )
    try:
        values = yaml.load(content, Loader=_UniqueKeyLoader)  # noqa: S506 # a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the settings file {path} is not YAML: {_where(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"the settings file {path} must hold 'name: value' lines, not {_kind(values)}"
        )
    return _with_field_names(values, model)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's plain types, and no key twice: the first one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build the mapping of ``node``; raises ConstructorError at a key that came before."""
        seen: dict[str, str] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                # a-b and a_b are one field, of which one value would be lost as well.
                name = key.value.replace("-", "_")
                if name in seen:
                    also = "" if seen[name] == key.value else f", before as '{seen[name]}'"
                    raise yaml.constructor.ConstructorError(
                        None, None, f"'{key.value}' is set twice{also}", key.start_mark
                    )
                seen[name] = key.value
        return super().construct_mapping(node, deep)


def _with_field_names(values: dict[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name not in model.model_fields:
            name = str(key)
        block = block_of(model, name)
        if block is not None and isinstance(value, dict):
            named[name] = _with_field_names(value, block)
        elif block is not None and value is None:
            # `window:` with every line below it commented out.
            named[name] = {}
        else:
            named[name] = value
    return named


def _where(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "it holds characters that YAML does not allow"
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else "a single value"
