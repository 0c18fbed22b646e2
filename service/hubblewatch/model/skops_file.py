"""The forest's file: skops, never pickle; only the few types that a forest consists of."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from typing import Any

ALLOWED_TYPES = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.dtype",
        "numpy.ndarray",
        "sklearn.ensemble._iforest.IsolationForest",
        "sklearn.tree._classes.ExtraTreeRegressor",
        "sklearn.tree._tree.Tree",
    }
)
"""All that a forest's file may hold."""

_TRUSTED = ["sklearn.tree._tree.Tree"]
"""Of these, the one that skops does not trust by itself: compiled code that reads its arrays."""

MAX_BYTES = 64 << 20
"""A forest's file unpacked; a larger one is none of ours."""

_SCHEMA = "schema.json"
_OBJECT_NUMBER = re.compile(r'(?<="__id__": )\d+|\d+(?=\.npy")')
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ForestFileError(ValueError):
    """The file is no forest, or holds more than one."""


def write_forest(estimator: Any) -> bytes:
    """Give the estimator as a skops file; the same forest gives the same bytes.

    skops numbers objects by their place in memory and dates its members; here both are replaced.
    """
    from skops.io import dumps

    made = zipfile.ZipFile(io.BytesIO(dumps(estimator)))
    numbers: dict[str, str] = {}

    def renumber(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], str(len(numbers) + 1))

    schema = _OBJECT_NUMBER.sub(renumber, made.read(_SCHEMA).decode())
    members = {
        f"{numbers[name.removesuffix('.npy')]}.npy": made.read(name)
        for name in made.namelist()
        if name != _SCHEMA
    }
    members[_SCHEMA] = schema.encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            file.writestr(entry, members[name], zipfile.ZIP_DEFLATED, 9)
    return packed.getvalue()


_DAMAGE = (
    *(AttributeError, ImportError, LookupError, TypeError, ValueError, OSError, EOFError),
    *(ArithmeticError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
)
"""What the readers of the parts raise when those are not what they should be."""


def read_forest(packed: bytes) -> Any:
    """Give the estimator of a skops file; raise ForestFileError where it is anything else."""
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    _check(packed)
    try:
        estimator = loads(packed, trusted=_TRUSTED)
    except UntrustedTypesFoundException as error:
        raise ForestFileError(str(error)) from None
    except _DAMAGE as error:
        raise ForestFileError(f"it cannot be read: {error}") from None
    if type(estimator).__name__ != "IsolationForest":
        raise ForestFileError(f"it holds a {type(estimator).__name__}")
    return estimator


def _check(packed: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as file:
            size = sum(member.file_size for member in file.infolist())
            schema = json.loads(file.read(_SCHEMA)) if size <= MAX_BYTES else {}
    except _DAMAGE as error:
        raise ForestFileError(f"it is no skops file: {error}") from None
    if size > MAX_BYTES:
        raise ForestFileError(f"it unpacks to {size} bytes, more than {MAX_BYTES}")
    unknown = sorted(_types(schema) - ALLOWED_TYPES)
    if unknown:
        raise ForestFileError(f"it holds types that no forest needs: {', '.join(unknown)}")


def _types(schema: Any) -> set[str]:
    found: set[str] = set()
    rest = [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            if "__class__" in node:
                found.add(f"{node.get('__module__')}.{node['__class__']}")
            rest.extend(node.values())
        elif isinstance(node, list):
            rest.extend(node)
    return found
