"""The ``HUBBLEWATCH_`` variables: their names, and which of them are no settings of ours."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic import BaseModel

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.fields import list_at

PREFIX = "HUBBLEWATCH_"

_NO_SETTING = re.compile(
    r"CONFIG"
    # What the tests require of this machine.
    r"|REQUIRE_\w+"
    # Kubernetes tells each container the address of every service of its namespace, so a service
    # whose name starts with hubblewatch looks like a setting.
    r"|(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def variable_of(path: Sequence[str | int]) -> str:
    """Return the variable that sets the field at ``path``: HUBBLEWATCH_WINDOW__SIZE_SECONDS."""
    return PREFIX + "__".join(str(step).replace("-", "_").upper() for step in path)


def broken_lists(variables: Mapping[str, str], model: type[BaseModel]) -> Iterator[str]:
    """Yield one indented line for each variable that is to hold a list and does not hold JSON."""
    for variable in sorted(variables):
        name = variable.upper()
        if not name.startswith(PREFIX):
            continue
        kinds = list_at(model, name.removeprefix(PREFIX).lower().split("__"))
        if kinds is not None and not _is_json(variables[variable]):
            example = "[443]" if int in kinds else '["shop"]'
            yield f"  {variable} must be a list, such as {example}"


def refuse_unknown_variables(variables: Mapping[str, str], model: type[BaseModel]) -> None:
    """Raise ConfigurationError when a ``HUBBLEWATCH_`` variable names no field of ``model``.

    Fields inside a block are the validation's work; this looks at the first part of the name.
    """
    wrong = []
    for variable in sorted(variables):
        name = variable.upper()
        if not name.startswith(PREFIX):
            continue
        field = name.removeprefix(PREFIX).partition("__")[0].lower()
        if field in model.model_fields or _NO_SETTING.fullmatch(name.removeprefix(PREFIX)):
            continue
        close = get_close_matches(field, model.model_fields, n=1)
        remedy = (
            f"did you mean {variable_of(close)}?"
            if close
            else f"known are {', '.join(variable_of([known]) for known in model.model_fields)}"
        )
        wrong.append(f"  the variable {variable} names no setting; {remedy}")
    if wrong:
        raise ConfigurationError("\n".join(["wrong settings", *wrong]))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
