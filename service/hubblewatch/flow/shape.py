"""The shape of a line: enough to see what is wrong with it, and none of what it says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import msgspec

from hubblewatch.flow import schema

_TOKEN = re.compile(rb'[^{}\[\]":,\s]+')
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def shape_of(text: bytes) -> bytes:
    """Give a text with ``0`` for each number and ``x`` for each word but those of Hubble's form.

    It goes by characters, not by JSON: text that is no JSON, or is cut off, hides as well.
    """
    return _TOKEN.sub(_shown, text)


def _shown(token: re.Match[bytes]) -> bytes:
    found = token[0]
    if found in _WORDS:
        return found
    return b"0" if _NUMBER.fullmatch(found) else b"x"


def _fields() -> Iterator[str]:
    """Give the names of all members that the schema reads."""
    for _, kind in inspect.getmembers(schema, inspect.isclass):
        if issubclass(kind, msgspec.Struct):
            yield from kind.__struct_fields__


_OTHERS = (
    b"true false null headers key value url protocol ethernet Type Summary ipVersion source_names "
    b"traffic_direction node_labels"
)
_WORDS = frozenset([*(name.encode() for name in _fields()), *_OTHERS.split()])
"""Names of members; as a value such a word tells nothing either."""
