"""A robust running estimate of one feature of one subject, in constant space.

Values are counts (or other non-negative numbers) taken to ``log1p``: rates differ over orders of
magnitude, and what matters is the ratio. The first values are kept and give median and MAD; from
then on location and scale follow by steps bounded by the scale itself (Huber's clipped score;
P. J. Huber, Robust Estimation of a Location Parameter, 1964), so that a burst moves the estimate
hardly more than a moderate value would. Once it is active, an anchor in the days before holds it.
"""

from __future__ import annotations

from enum import StrEnum
from math import expm1, log1p
from statistics import median

from msgspec import Struct, field

from hubblewatch.baseline.anchor import EVERY_WINDOWS, Anchor, first_anchor

COLD_UNTIL = 10
"""Values before an estimate is of any use: the MAD of ten values is within about 40 %."""

ACTIVE_FROM = 60
"""Values (an hour of windows) from which an estimate is taken at its word."""

SLOWEST_RATE = 1 / 120
"""Step rate in the long run: two hours of windows, which follows a day's cycle."""

_CLIP = 3.0
_MAD_TO_SIGMA = 1.4826
_ABS_TO_SIGMA = 1.2533
"""Standard deviation over mean absolute deviation of a normal variable: sqrt(pi / 2)."""
_SCALE_FLOOR = 0.05
_ROUNDING = 1e-9


class BaselineState(StrEnum):
    """How far an estimate can be trusted."""

    COLD = "cold"
    LEARNING = "learning"
    ACTIVE = "active"


def state_after(count: int) -> BaselineState:
    """Give the state of what has seen so many values."""
    if count < COLD_UNTIL:
        return BaselineState.COLD
    return BaselineState.LEARNING if count < ACTIVE_FROM else BaselineState.ACTIVE


class Estimate(Struct):
    """Location and scale of ``log1p(value)``; ``head`` holds the values while it is cold.

    ``credit`` adds up the weights of suspicious values while cold: ten of weight 0.1 make one.
    ``anchor`` bounds both from when it is active; one read from an older state has none yet.
    """

    count: int = 0
    centre: float = 0.0
    scale: float = 0.0
    head: list[float] = field(default_factory=list)
    credit: float = 0.0
    anchor: Anchor | None = None

    @property
    def state(self) -> BaselineState:
        """How far this estimate can be trusted."""
        return state_after(self.count)

    @property
    def usual(self) -> float:
        """The usual value, in the feature's own unit."""
        return expm1(self.centre)

    def learn(self, value: float, weight: float = 1.0) -> None:
        """Take a value; ``weight`` in 0..1 below 1 slows the learning (a suspicious window)."""
        x = log1p(max(value, 0.0))
        if self.count < COLD_UNTIL:
            self.credit += weight
            if self.credit < 1 - _ROUNDING:
                return
            self.credit = max(0.0, self.credit - 1)
            self._begin_with(x)
            return
        self.count += 1
        rate = weight * max(1 / self.count, SLOWEST_RATE)
        reach = _CLIP * self.sigma
        step = max(-reach, min(reach, x - self.centre))
        self.centre += rate * step
        self.scale += rate * (_ABS_TO_SIGMA * abs(step) - self.scale)
        if self.count % EVERY_WINDOWS == 0 and self.count >= ACTIVE_FROM:
            if self.anchor is None:
                self.anchor = first_anchor(self.centre, self.scale)
            self.centre, self.scale = self.anchor.hold(self.centre, self.scale, is_told=weight < 1)

    def raised_to(self, level: float) -> Estimate:
        """Give an estimate whose centre is at least ``level``; this one is left as it is."""
        if level <= self.centre or self.count < ACTIVE_FROM:
            return self
        return Estimate(count=self.count, centre=level, scale=self.scale)

    def _begin_with(self, x: float) -> None:
        self.count += 1
        self.head.append(x)
        self.centre = median(self.head)
        self.scale = _MAD_TO_SIGMA * median(abs(v - self.centre) for v in self.head)
        if self.count == COLD_UNTIL:
            self.head = []
            self.credit = 0.0

    @property
    def sigma(self) -> float:
        """Standard deviation of ``log1p`` of a value, never below what counting alone causes.

        A Poisson count of mean m scatters by sqrt(m), log1p of it by about sqrt(m) / (m + 1). Half
        a count more, because a mean of none may be a small one. The scale seen contains that
        already; it is added once more because a scale from few values is often too small.
        """
        mean = self.usual + 0.5
        counting = mean / (mean + 1) ** 2
        return float(max((self.scale * self.scale + counting) ** 0.5, _SCALE_FLOOR))

    def deviation(self, value: float) -> float:
        """Give the robust z-score of a value."""
        return (log1p(max(value, 0.0)) - self.centre) / self.sigma

    def seen_deviation(self, value: float) -> float:
        """Give the z-score by the scatter seen alone.

        For those who have judged the counting noise exactly: this says whether the subject itself
        is restless.
        """
        return (log1p(max(value, 0.0)) - self.centre) / max(self.scale, _SCALE_FLOOR)

    def quantile_range(self, deviations: float = 2.0) -> tuple[float, float]:
        """Give the usual range: values within so many sigma of the centre."""
        spread = deviations * self.sigma
        return max(0.0, expm1(self.centre - spread)), expm1(self.centre + spread)
