"""The threshold: the score above which alerts on quiet windows are as rare as a budget wants them.

An alert needs ``odd`` odd windows of the subject's last ``windows``, so what is compared with the
budget are episodes of that, not single scores. A small budget allows less than one alert in all
that was held out. Then the heights of the highest episodes say how fast they get rarer: beyond a
high level, exceedances of it fall off exponentially or faster (peaks over threshold; J. Pickands,
Statistical Inference Using Extreme Order Statistics, 1975), and scores end at 1, so that the
exponential is the cautious case.
"""

from __future__ import annotations

from math import exp, lgamma, log

import numpy as np
from msgspec import Struct

from hubblewatch.model.matrix import Flags, Indices, Matrix
from hubblewatch.model.persistence import Persistence

QUIET_WINDOWS = 5
"""An episode ends after so many windows without an alert, as an incident does."""

MARGIN = 0.01
"""Above the oddest held-out episode, where the budget allows none of them."""

MAX_PEAKS = 20
LEAST_PEAKS = 5
"""Episodes from whose heights the rest is told: of fewer, the mean is too uncertain."""

CONFIDENCE = 0.95

_DAY_SECONDS = 86_400
_HALVINGS = 60
_MAX_LEVELS = 2_000


class HeldOut(Struct, frozen=True):
    """Windows held out: score, whether odd in several families, number and subject, by time.

    ``window_seconds`` is how long one of them is.
    """

    scores: Matrix
    joint: Flags
    numbers: Indices
    subjects: Indices
    window_seconds: float = 60.0

    @property
    def subject_days(self) -> float:
        """How much was held out."""
        return len(self.scores) * self.window_seconds / _DAY_SECONDS


def persistent_scores(held: HeldOut, persistence: Persistence) -> Matrix:
    """Give for each window the highest threshold at which it would still raise an alert; 0: none.

    That is its own score, or the odd-th highest of the subject's last windows if that is lower.
    """
    found = np.zeros(len(held.scores))
    recent: dict[int, list[tuple[int, float]]] = {}
    for place, (subject, number) in enumerate(zip(held.subjects, held.numbers, strict=True)):
        score = float(held.scores[place]) if held.joint[place] else 0.0
        past = recent.setdefault(int(subject), [])
        past[:] = [(n, s) for n, s in past if n > number - persistence.windows]
        past.append((int(number), score))
        best = sorted((s for _, s in past), reverse=True)
        if len(best) >= persistence.odd:
            found[place] = min(score, best[persistence.odd - 1])
    return found


def episodes(persistent: Matrix, held: HeldOut, threshold: float) -> int:
    """Give how many alerts the held-out windows raise at a threshold."""
    return len(peaks(persistent, held, threshold))


def peaks(persistent: Matrix, held: HeldOut, level: float) -> Matrix:
    """Give the height of each episode that reaches a level."""
    heights: list[float] = []
    latest: dict[int, tuple[int, int]] = {}
    for place in np.flatnonzero(persistent >= level):
        subject, number = int(held.subjects[place]), int(held.numbers[place])
        height = float(persistent[place])
        before, episode = latest.get(subject, (number - QUIET_WINDOWS - 1, -1))
        if number - before > QUIET_WINDOWS:
            episode = len(heights)
            heights.append(height)
        heights[episode] = max(heights[episode], height)
        latest[subject] = number, episode
    return np.array(heights, dtype=np.float64)


def threshold_for(
    held: HeldOut, persistence: Persistence, alerts_per_day: float
) -> tuple[float, int]:
    """Give the threshold for a budget of alerts a day and 100 subjects, and the episodes at it.

    No more episodes than the budget allows reach it; and where the tail of their heights says that
    it has to be higher for that, it is.
    """
    persistent = persistent_scores(held, persistence)
    allowed = alerts_per_day * held.subject_days / 100
    levels = np.unique(persistent[persistent > 0])[::-1]
    if not len(levels):
        return float(held.scores.max(initial=0.0)) + MARGIN, 0
    threshold = float(levels[0]) + MARGIN
    heights = np.zeros(0)
    # Downwards: the lowest level that the budget allows, then that at which the tail begins.
    for place in np.unique(np.geomspace(1, len(levels), _MAX_LEVELS).astype(np.int64)) - 1:
        heights = peaks(persistent, held, float(levels[place]))
        if len(heights) <= allowed:
            threshold = float(levels[place])
        elif len(heights) >= MAX_PEAKS:
            break
    if len(heights) >= LEAST_PEAKS and allowed < len(heights):
        begin = float(heights.min())
        mean = float((heights - begin).mean())
        threshold = max(threshold, begin + mean * log(len(heights) / allowed))
    return threshold, episodes(persistent, held, threshold)


def highest_rate(count: int, days: float) -> float:
    """Give the highest rate a day that so few events in so many days are still likely under.

    The upper Poisson bound of 95 %: with none in ``days``, three in as many.
    """
    low: float = 0.0
    high: float = count + 10 * (count + 1) ** 0.5 + 10
    for _ in range(_HALVINGS):
        mean = (low + high) / 2
        total = sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1))
        low, high = (mean, high) if total > 1 - CONFIDENCE else (low, mean)
    return float(high / days)
