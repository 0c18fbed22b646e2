"""Time as whole nanoseconds since 1970, and how Hubble prints it."""

from __future__ import annotations

from datetime import UTC, datetime

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
MILLISECOND = 1_000_000
MICROSECOND = 1_000

_prefixes: dict[int, str] = {}
_PREFIXES_KEPT = 4_096


def rfc3339(time_ns: int) -> str:
    """RFC 3339 UTC with 0, 3, 6 or 9 fractional digits, as protobuf's JSON mapping writes it."""
    second, fraction = divmod(time_ns, SECOND)
    prefix = _prefixes.get(second)
    if prefix is None:
        if len(_prefixes) >= _PREFIXES_KEPT:
            _prefixes.clear()
        prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _prefixes[second] = prefix
    if fraction % 1_000:
        return f"{prefix}.{fraction:09d}Z"
    if fraction % MILLISECOND:
        return f"{prefix}.{fraction // 1_000:06d}Z"
    if fraction:
        return f"{prefix}.{fraction // MILLISECOND:03d}Z"
    return f"{prefix}Z"


def parse_rfc3339(text: str) -> int:
    """Nanoseconds of an RFC 3339 time of at most microsecond precision; ValueError otherwise."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1_000
