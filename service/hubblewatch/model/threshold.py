"""The threshold: the lowest score that keeps an alert budget on windows held out of the fit.

An alert needs ``odd`` odd windows of the subject's last ``windows``, so what is compared with the
budget are episodes of that, not single scores.
"""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
from msgspec import Struct

from hubblewatch.model.matrix import Flags, Indices, Matrix
from hubblewatch.model.persistence import Persistence

QUIET_WINDOWS = 5
"""An episode ends after so many windows without an alert, as an incident does."""

MARGIN = 0.01
"""Above the oddest held-out episode, where the budget allows none of them."""

_WINDOWS_A_DAY = 1_440
_MAX_CANDIDATES = 400


class HeldOut(Struct, frozen=True):
    """Windows held out: score, whether odd in several families, number and subject, by time."""

    scores: Matrix
    joint: Flags
    numbers: Indices
    subjects: Indices

    @property
    def subject_days(self) -> float:
        """How much was held out; a window stands for a minute, whatever its length."""
        return len(self.scores) / _WINDOWS_A_DAY


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
    at: dict[int, list[int]] = {}
    for place in np.flatnonzero(persistent >= threshold):
        at.setdefault(int(held.subjects[place]), []).append(int(held.numbers[place]))
    return sum(1 + sum(b - a > QUIET_WINDOWS for a, b in pairwise(n)) for n in at.values())


def odd_share(persistence: Persistence, alerts_per_day: float) -> float:
    """Give the share of odd windows at which chance alone would spend the budget.

    With a share q, and windows independent of each other, the odd-th odd window of a subject's last
    ones comes about C(windows, odd) q^odd times a window. The threshold is never lower than that:
    held-out windows are few, and what did not happen in them may still happen each day.
    """
    windows_a_day = 100 * _WINDOWS_A_DAY
    chances = comb(persistence.windows, persistence.odd)
    return min(1.0, float((alerts_per_day / windows_a_day / chances) ** (1 / persistence.odd)))


def threshold_for(
    held: HeldOut, persistence: Persistence, alerts_per_day: float
) -> tuple[float, int]:
    """Give the threshold for a budget of alerts a day and 100 subjects, and the episodes at it."""
    persistent = persistent_scores(held, persistence)
    rarity = odd_share(persistence, alerts_per_day)
    least = float(np.quantile(held.scores, 1 - rarity)) if len(held.scores) else 1.0
    allowed = alerts_per_day * held.subject_days / 100
    candidates = np.unique(persistent[persistent > 0])[::-1][:_MAX_CANDIDATES]
    threshold = float(candidates[0]) + MARGIN if len(candidates) else least
    for candidate in candidates:
        if episodes(persistent, held, float(candidate)) > allowed:
            break
        threshold = float(candidate)
    threshold = max(threshold, least)
    return threshold, episodes(persistent, held, threshold)
