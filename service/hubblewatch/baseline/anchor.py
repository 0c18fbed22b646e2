"""What an estimate is held to: the days before, so that nobody can teach it step by step.

An estimate follows its values, and whoever raises them slowly enough would never be above it. So
what nobody was told of moves the centre to one and a half times the highest that it had on one of
the last seven days, at most, and to three times what it had on one of those more than three days
ago; in the first day, where a night may be all that is known, to nine times where it stood when it
became active. The scale is held likewise, for a drift looks like scatter. What was told may move
the centre on (slowly, for such windows count little), and half as much again beyond: a change that
lasts becomes usual, and is not told again and again while it is nearly so.

A day is 1,440 learned windows: of a subject without pauses, a day.
"""

from __future__ import annotations

from math import ceil, expm1, log1p

from msgspec import Struct

DAY_WINDOWS = 24 * 60
MAX_DAYS = 7

DAILY_GROWTH = 1.5
"""Within one day; a day's own rise and fall is in the days before."""
FIRST_DAY_GROWTH = 9.0
"""Busy hours have some six times what quiet ones have, and which it began in is not known."""
LONG_GROWTH = 3.0
"""From more than three days ago on: half as much again each day is found, too."""
SLACK = 10.0
"""Counts that may always come on top: a few more of what was none are no growth."""

EVERY_WINDOWS = 16
"""An anchor looks so often; a centre takes hours for what it would have to be held from."""

_RECENT_DAYS = 3
_SPREAD_GROWTH = 1.25
_LEAST_SPREAD = 0.25
_FIRST_DAY_SPREAD = 0.5
_STEPS = 64
_DAY_STEPS = 16
"""Levels are kept as whole parts of one, rounded up: of a day as sixteenths, in a byte."""

_LOOKS_PER_DAY = DAY_WINDOWS // EVERY_WINDOWS


class Anchor(Struct, array_like=True):
    """The levels (of ``log1p``) of the days before, newest first, and what follows from them.

    ``highest`` and ``widest`` are the bounds of centre and scale; ``peak`` and ``spread`` the
    largest of today, all in 64ths; ``looks`` how often it looked today.
    """

    highest: int
    widest: int
    looks: int = 0
    peak: int = 0
    spread: int = 0
    peaks: bytes = b""
    spreads: bytes = b""

    def hold(self, centre: float, scale: float, *, is_told: bool) -> tuple[float, float]:
        """Give centre and scale as far as they may go, and remember them.

        Where somebody is told of it the centre may go on: the bound goes ahead of it.
        """
        level, spread = ceil(centre * _STEPS), ceil(scale * _STEPS)
        if is_told:
            self.highest = max(self.highest, ceil(_grown(centre, DAILY_GROWTH) * _STEPS))
        if level > self.highest:
            level, centre = self.highest, self.highest / _STEPS
        if spread > self.widest:
            spread, scale = self.widest, self.widest / _STEPS
        self.peak = max(self.peak, level)
        self.spread = max(self.spread, spread)
        self.looks += 1
        if self.looks >= _LOOKS_PER_DAY:
            self._end_day()
        return centre, scale

    def _end_day(self) -> None:
        self.peaks = _noted(self.peak, self.peaks)
        self.spreads = _noted(self.spread, self.spreads)
        self.looks = self.peak = self.spread = 0
        highest = _grown(max(self.peaks) / _DAY_STEPS, DAILY_GROWTH)
        older = self.peaks[_RECENT_DAYS:]
        if older:
            highest = min(highest, _grown(max(older) / _DAY_STEPS, LONG_GROWTH))
        usual = sorted(self.spreads)[(len(self.spreads) - 1) // 2] / _DAY_STEPS
        self.highest = ceil(highest * _STEPS)
        self.widest = ceil(max(_SPREAD_GROWTH * usual, _LEAST_SPREAD) * _STEPS)


def first_anchor(centre: float, scale: float) -> Anchor:
    """Give what an estimate is held to before its first day is over."""
    widest = max(_SPREAD_GROWTH * scale, _FIRST_DAY_SPREAD)
    highest = _grown(centre, FIRST_DAY_GROWTH)
    return Anchor(ceil(highest * _STEPS), ceil(widest * _STEPS))


def _noted(level: int, days: bytes) -> bytes:
    part = min(255, ceil(level * _DAY_STEPS / _STEPS))
    return bytes([part]) + days[: MAX_DAYS - 1]


def _grown(level: float, growth: float) -> float:
    return log1p(growth * expm1(level) + SLACK)
