"""RFC 3339 timestamps as Hubble writes them: UTC with 0, 3, 6 or 9 fractional digits."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EARLIEST = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
"""Nothing that runs Cilium is older; such a time is a broken clock or a broken line."""

LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
"""The other bound: one flow from the year 9999 must not close every window of today."""

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CACHED_SECONDS = 100_000


class TimestampError(ValueError):
    """The text is no RFC 3339 time, or lies outside of EARLIEST and LATEST."""


def parse_ns(text: str) -> int:
    """Give nanoseconds since the epoch of an RFC 3339 time; raise TimestampError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise TimestampError(f"not an RFC 3339 time: {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            59 if second == "60" else int(second),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise TimestampError(f"no such time: {text[:40]!r}") from error
    since = moment - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if second == "60":  # a leap second: the epoch's count repeats the next one
        seconds += 1
    if zone and zone not in "Zz":
        shift = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds -= shift if zone[0] == "+" else -shift
    if not EARLIEST <= seconds < LATEST:
        raise TimestampError(f"time out of range: {text[:40]!r}")
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def parse_seconds(text: str) -> int:
    """Give whole seconds since the epoch of an RFC 3339 time; raise TimestampError."""
    return parse_ns(text) // 1_000_000_000


class SecondsCache(dict[str, int]):
    """Epoch seconds by the first 19 characters of a UTC time: ``seconds[time[:19]]``.

    The hot loop needs whole seconds only (windows begin and end on them) and flows of one second
    share these characters, so nearly every look-up is one dictionary hit. Raises TimestampError.
    """

    def __missing__(self, prefix: str) -> int:
        seconds = parse_ns(prefix) // 1_000_000_000
        if len(self) >= _CACHED_SECONDS:
            self.clear()
        self[prefix] = seconds
        return seconds


def format_seconds(seconds: int) -> str:
    """Give an RFC 3339 UTC time of whole epoch seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
