"""A robust running estimate of one feature of one subject, in constant space.

Values are counts (or other non-negative numbers) taken to ``log1p``: rates differ over orders of
magnitude, and what matters is the ratio. The first values are kept and give median and MAD; from
then on location and scale follow by steps bounded by the scale itself (Huber's clipped score;
P. J. Huber, Robust Estimation of a Location Parameter, 1964), so that a burst moves the estimate
hardly more than a moderate value would.
"""

from __future__ import annotations

from enum import StrEnum
from math import exp, expm1, log1p
from statistics import median

from msgspec import Struct, field

COLD_UNTIL = 10
"""Values before an estimate is of any use: the MAD of ten values is within about 40 %."""

ACTIVE_FROM = 60
"""Values (an hour of windows) from which an estimate is taken at its word."""

SLOWEST_RATE = 1 / 120
"""Step rate in the long run: two hours of windows, which follows a day's cycle."""

_CLIP = 3.0
_MAD_TO_SIGMA = 1.4826
_ABS_TO_SIGMA = 1.2533
_SCALE_FLOOR = 0.05


class BaselineState(StrEnum):
    """How far an estimate can be trusted."""

    COLD = "cold"
    LEARNING = "learning"
    ACTIVE = "active"


class Estimate(Struct):
    """Location and scale of ``log1p(value)``; ``head`` holds the values while it is cold."""

    count: int = 0
    centre: float = 0.0
    scale: float = 0.0
    head: list[float] = field(default_factory=list)

    @property
    def state(self) -> BaselineState:
        """How far this estimate can be trusted."""
        if self.count < COLD_UNTIL:
            return BaselineState.COLD
        return BaselineState.LEARNING if self.count < ACTIVE_FROM else BaselineState.ACTIVE

    @property
    def usual(self) -> float:
        """The usual value, in the feature's own unit."""
        return expm1(self.centre)

    def learn(self, value: float, weight: float = 1.0) -> None:
        """Take a value; ``weight`` below 1 slows the learning (a suspicious window)."""
        x = log1p(max(value, 0.0))
        if self.count < COLD_UNTIL:
            self.count += 1
            self.head.append(x)
            self.centre = median(self.head)
            self.scale = _MAD_TO_SIGMA * median(abs(v - self.centre) for v in self.head)
            if self.count == COLD_UNTIL:
                self.head = []
            return
        self.count += 1
        rate = weight * max(1 / self.count, SLOWEST_RATE)
        sigma = max(self.sigma, _SCALE_FLOOR)
        step = max(-_CLIP * sigma, min(_CLIP * sigma, x - self.centre))
        self.centre += rate * step
        self.scale += rate * (_ABS_TO_SIGMA * abs(step) - self.scale)

    @property
    def sigma(self) -> float:
        """Standard deviation of ``log1p`` of a value, never below what counting alone causes.

        A Poisson count of mean m scatters by 1/sqrt(m), so log1p of it by about 1/sqrt(m + 1).
        """
        counting = exp(-self.centre / 2)
        return float((self.scale * self.scale + counting * counting) ** 0.5)

    def deviation(self, value: float) -> float:
        """Give the robust z-score of a value."""
        return (log1p(max(value, 0.0)) - self.centre) / max(self.sigma, _SCALE_FLOOR)

    def quantile_range(self, deviations: float = 2.0) -> tuple[float, float]:
        """Give the usual range: values within so many sigma of the centre."""
        spread = deviations * max(self.sigma, _SCALE_FLOOR)
        return max(0.0, expm1(self.centre - spread)), expm1(self.centre + spread)
