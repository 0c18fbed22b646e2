"""What is usual at an hour of the week: a Monday morning's rise is no flood once it is known.

For each of the 168 hours the mean of ``log1p`` of some counts, in sixteenths, a byte each. An hour
that comes again moves its level half of the way, suspicious windows a tenth of that. So a week
after a subject was first seen every hour is known, and rules expect the higher of what was usual
lately and what is usual about now. In the first week, what came at this hour of both days before
stands in. A rise that comes at the same time again has been told when it came first, and is not an
attack's way of hiding.

Hours begin at a minute of the subject's own, so that not all subjects' weeks are written at once.
They are counted from 1970 on, without time zones: where clocks are changed, the hours beside help.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import log1p
from zlib import crc32

from msgspec import Struct, field

from hubblewatch.window.closed import Subject

WEEK_FEATURES = ("denied", "failed", "tcp", "udp")
"""Counts that rules compare with the past; the order is that of the stored levels."""

WEEK_VERSION = 1
"""Raised when levels change their meaning: a week of another version is begun anew."""

HOURS = 7 * 24

_EVERY_WINDOWS = 4
"""Only each fourth window is taken: a mean of fifteen says enough of an hour."""

_HOUR_SECONDS = 3_600
_STEPS = 16
_UNKNOWN = 255
_NEW_SHARE = 0.5
_WHOLE = 10
_SUSPICIOUS = 1
_LEAST_SHARE = 1 / 6
"""Share of an hour's looks by which an unknown hour is known."""

_DAY = 24


class Hour(Struct, array_like=True):
    """The hour under way: ``number`` since 1970, begun ``offset`` seconds early; sums by feature.

    ``looks`` counts windows, ``weight`` counts them in tenths (a suspicious one is one), ``sums``
    are in sixteenths times that.
    """

    number: int
    offset: int
    looks: int = 0
    weight: int = 0
    sums: list[int] = field(default_factory=lambda: [0] * len(WEEK_FEATURES))

    def begin(self, number: int) -> None:
        """Start the next hour."""
        self.number = number
        self.looks = self.weight = 0
        self.sums = [0] * len(WEEK_FEATURES)

    def add(self, counts: Mapping[str, float], *, is_suspicious: bool) -> None:
        """Take a window's counts, by feature, into the hour."""
        weight = _SUSPICIOUS if is_suspicious else _WHOLE
        self.looks += 1
        self.weight += weight
        sums = self.sums
        for place, feature in enumerate(WEEK_FEATURES):
            count = counts[feature]
            if count:
                sums[place] += weight * _level_of(count)


@lru_cache(maxsize=4_096)
def _level_of(count: float) -> int:
    return round(_STEPS * log1p(count))


class Week(Struct, array_like=True):
    """The levels of all hours, feature after feature; 255 where an hour is not known."""

    version: int = WEEK_VERSION
    levels: bytes = bytes([_UNKNOWN]) * (HOURS * len(WEEK_FEATURES))

    @property
    def is_understood(self) -> bool:
        """Whether the levels mean here what they meant where they were written."""
        return self.version == WEEK_VERSION and len(self.levels) == HOURS * len(WEEK_FEATURES)

    def learn(self, hour: Hour, looks: float) -> bool:
        """Take an hour that ended, of which ``looks`` make a whole; tell if anything changed."""
        if hour.weight == 0:
            return False
        share = min(1.0, hour.weight / (_WHOLE * looks))
        levels = bytearray(self.levels)
        for place, total in enumerate(hour.sums):
            at = place * HOURS + hour.number % HOURS
            mean = total / hour.weight
            if levels[at] != _UNKNOWN:
                mean = levels[at] + _NEW_SHARE * share * (mean - levels[at])
            elif hour.looks < _LEAST_SHARE * looks:
                continue
            levels[at] = min(_UNKNOWN - 1, round(mean))
        was, self.levels = self.levels, bytes(levels)
        return self.levels != was

    def level(self, feature: str, number: int) -> float | None:
        """Give the level (of ``log1p``) about an hour: the highest of it and those beside.

        Where that hour is not known, the lower one of the two days before; else None.
        """
        begin = WEEK_FEATURES.index(feature) * HOURS
        level = self._about(begin, number)
        if level == _UNKNOWN:
            before = [self._about(begin, number - days * _DAY) for days in (1, 2)]
            level = _UNKNOWN if _UNKNOWN in before else min(before)
        return None if level == _UNKNOWN else level / _STEPS

    def _about(self, begin: int, number: int) -> int:
        """Give the highest of an hour's level and those beside; 255 if that hour is unknown."""
        levels = self.levels
        if levels[begin + number % HOURS] == _UNKNOWN:
            return _UNKNOWN
        beside = (levels[begin + (number + step) % HOURS] for step in (-1, 0, 1))
        return max(level for level in beside if level != _UNKNOWN)


def first_hour(subject: Subject, second: int) -> Hour:
    """Give the hour in which a subject is first seen."""
    offset = crc32("/".join(subject).encode()) % _HOUR_SECONDS
    return Hour(hour_of(second, offset), offset)


def hour_of(second: int, offset: int) -> int:
    """Give the number of the hour that a second lies in."""
    return (second + offset) // _HOUR_SECONDS


def every_windows(seconds: int) -> int:
    """Give how many windows of that length there are for one that is taken: one an hour at least.

    Of windows longer than a quarter of an hour all are taken.
    """
    return _EVERY_WINDOWS if seconds * _EVERY_WINDOWS <= _HOUR_SECONDS else 1


def looks_of(seconds: int) -> float:
    """Give how often a whole hour of windows of that length is looked at."""
    return _HOUR_SECONDS / seconds / every_windows(seconds)
