"""A line that could not be used, kept with its reason and place instead of stopping anything."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

EXCERPT_BYTES = 200


class RejectReason(StrEnum):
    """Why a line was refused; a closed set, since it is a metric label."""

    MALFORMED = "malformed"
    """Not JSON: truncated, invalid UTF-8, NUL, NaN, not an object."""
    WRONG_TYPE = "wrong-type"
    """JSON, but a field that is used has another type than Hubble gives it."""
    TOO_DEEP = "too-deep"
    """Nested deeper than any Hubble line."""
    TOO_LONG = "too-long"
    """Longer than the bound on one line; its bytes were never held in memory."""
    UNKNOWN = "unknown"
    """A JSON object that is neither a Hubble response nor a flow."""
    TIME = "time"
    """The event time is missing, not RFC 3339, or out of any sensible range."""
    AHEAD = "ahead"
    """The event time is far ahead of the rest of the stream: one clock is wrong."""


class Reject(Struct, frozen=True, gc=False):
    """One refused line: ``place`` names source and line, ``excerpt`` its first bytes."""

    reason: RejectReason
    place: str
    detail: str
    excerpt: bytes = b""
