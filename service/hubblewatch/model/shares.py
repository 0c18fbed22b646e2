"""What shares are usual for each subject: running centres and scatters, for all of a closing.

A subject's usual values and their scatter are numbers in its memory's slot of the forest, so that
they are stored and restored with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubblewatch.baseline.estimate import COLD_UNTIL, SLOWEST_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubblewatch.baseline.past import SubjectMemory
    from hubblewatch.model.matrix import Flags, Matrix

SLOT = "isolation-forest"
"""Where in a subject's memory the forest keeps what is its own."""

_KEY = "usual"
_FIRST_MEETINGS = 3
"""The first windows of a subject hold nothing but first contacts: they teach nothing."""

_CLIP = 3.0
_LEAST_SCATTER = 0.02
_WIDE_SCATTER = 0.3
"""Reach of a step while the scatter is not known yet."""

_ABS_TO_SIGMA = 1.2533


class Shares:
    """Centres and scatters of the shares, one row a subject, as they were before this closing.

    ``counts`` tells how many windows each has taught.
    """

    def __init__(self, memories: Sequence[SubjectMemory], width: int) -> None:
        self._memories = memories
        rows = np.zeros((len(memories), 1 + 2 * width))
        for row, memory in zip(rows, memories, strict=True):
            kept = memory.slots.get(SLOT, {}).get(_KEY)
            if kept is not None and len(kept) == len(row):
                row[:] = kept
        self.counts: Matrix = rows[:, 0]
        self.centres: Matrix = rows[:, 1 : 1 + width]
        self.scatters: Matrix = rows[:, 1 + width :]

    @property
    def are_known(self) -> Flags:
        """Tell for each subject whether its shares are known well enough to judge by."""
        return np.asarray(self.counts >= COLD_UNTIL, dtype=bool)

    def learn(self, values: Matrix) -> None:
        """Take the closing's values into what is usual, by steps that an outlier cannot stretch."""
        counts = self.counts[:, np.newaxis] + 1
        rates = np.maximum(1 / np.maximum(counts, 1), SLOWEST_RATE)
        reach = np.where(
            counts <= COLD_UNTIL, _WIDE_SCATTER, _CLIP * np.maximum(self.scatters, _LEAST_SCATTER)
        )
        steps = np.clip(values - self.centres, -reach, reach)
        first = counts == 1
        centres = np.where(first, values, self.centres + rates * steps)
        scatters = self.scatters + rates * (_ABS_TO_SIGMA * np.abs(steps) - self.scatters)
        scatters = np.where(first, 0.0, scatters)
        learnt = np.hstack([counts, centres, scatters]).tolist()
        for memory, row in zip(self._memories, learnt, strict=True):
            if memory.windows >= _FIRST_MEETINGS:
                memory.slots.setdefault(SLOT, {})[_KEY] = row
