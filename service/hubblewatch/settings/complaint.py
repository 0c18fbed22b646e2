"""Turns what pydantic found into lines for the person who wrote the settings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hubblewatch.settings.fields import field_names, is_secret
from hubblewatch.settings.variables import variable_of

MAX_SHOWN_CHARACTERS = 80
"""Longer values are cut in messages."""

_LOGIN_IN_ADDRESS = re.compile(r"^(\w+://)?.*@", re.DOTALL)
"""With or without a scheme, and whatever signs are in the password."""


def complaints(
    error: ValidationError,
    model: type[BaseModel],
    config: Path | None,
    variables: Mapping[str, str],
) -> Iterator[str]:
    """Yield one indented line for each wrong field: path, origin, value if no secret, remedy."""
    for fault in error.errors(include_url=False, include_context=True):
        path = fault["loc"]
        name = ".".join(str(step) for step in path) or "the settings"
        origin = _origin(path, config, variables)
        if fault["type"] == "extra_forbidden":
            # No value: a misspelt password is a password all the same.
            yield f"  {name} ({origin}) is no setting; {_nearest(path, model)}"
        else:
            value = "" if is_secret(model, path) else _shown(fault["input"])
            yield f"  {name} ({origin}){value}: {_remedy(fault['type'], fault['msg'])}"


def _origin(path: Sequence[str | int], config: Path | None, variables: Mapping[str, str]) -> str:
    given = {variable.upper(): variable for variable in variables}
    for length in range(len(path), 0, -1):
        variable = given.get(variable_of(path[:length]))
        if variable is not None:
            return f"from {variable}"
    # What is wrong about a block as a whole comes of what was set in it.
    block = f"{variable_of(path)}__"
    within = [variable for name, variable in sorted(given.items()) if name.startswith(block)]
    origins = [] if config is None else [f"in {config}"]
    origins += [f"from {', '.join(within)}"] if within else []
    return " and ".join(origins) or "by default"


def _nearest(path: Sequence[str | int], model: type[BaseModel]) -> str:
    known = field_names(model, path[:-1])
    wrong = str(path[-1])
    prefix = "".join(f"{step}." for step in path[:-1])
    close = get_close_matches(wrong, known, n=1)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return f"known are {', '.join(known)}"


def _shown(value: Any) -> str:
    """Return ' = value' for a plain value; of a block only its kind, as it may hold secrets."""
    if isinstance(value, dict | list | tuple | set):
        return " is a group of values" if isinstance(value, dict) else " is a list"
    if isinstance(value, str):
        value = _LOGIN_IN_ADDRESS.sub(r"\1***@", value)
    text = repr(value)
    if len(text) > MAX_SHOWN_CHARACTERS:
        text = text[:MAX_SHOWN_CHARACTERS] + "…"
    return f" = {text}"


def _remedy(kind: str, message: str) -> str:
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "must be a block of 'name: value' lines"
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return re.sub(r"^(Input|String) should ", "must ", message)
