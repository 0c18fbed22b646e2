"""What the last windows of a subject have in common: deviations that keep coming add up.

A single window of a slow intruder is hardly out of the usual. So each deviation is followed by an
exponentially weighted mean (S. W. Roberts, Control Chart Tests Based on Geometric Moving Averages,
1959): chance cancels itself, and what stays grows against it. No window weighs more than a moderate
deviation, so that one burst is not taken for something that lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubblewatch.model.shares import SLOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubblewatch.baseline.past import SubjectMemory
    from hubblewatch.model.matrix import Matrix

RATE = 0.2
"""Weight of the newest window: about the last nine count."""

MOST = 1.5
"""A window's deviation counts up to so many sigma."""

_VARIANCE = RATE / (2 - RATE)
"""Of the mean, where that of each of the independent deviations is 1."""

_KEY = "lately"


def follow(memories: Sequence[SubjectMemory], deviations: Matrix, number: int) -> Matrix:
    """Take the deviations of window ``number``, in sigma; give their means, one row a subject.

    Windows that a subject had no attempts in count as usual ones.
    """
    width = deviations.shape[1]
    means = np.zeros(deviations.shape)
    for place, memory in enumerate(memories):
        kept = memory.slots.get(SLOT, {}).get(_KEY)
        if kept is not None and len(kept) == 1 + width:
            missed = max(0.0, number - 1 - kept[0])
            means[place] = np.multiply(kept[1:], (1 - RATE) ** missed)
    means += RATE * (np.clip(deviations, -MOST, MOST) - means)
    for memory, row in zip(memories, means, strict=True):
        memory.slots.setdefault(SLOT, {})[_KEY] = [float(number), *row.tolist()]
    return means


def sigma_of_means(memories: Sequence[SubjectMemory]) -> Matrix:
    """Give the standard deviation of such a mean for each subject, one column.

    What is usual is itself a mean of the windows learned, and for a subject of a few windows that
    is hardly better known than what was lately.
    """
    windows = np.array([[memory.windows] for memory in memories], dtype=np.float64).reshape(-1, 1)
    return np.asarray(np.sqrt(_VARIANCE + 1 / np.maximum(windows, 1.0)), dtype=np.float64)
