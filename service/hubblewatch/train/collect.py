"""Feature rows of quiet windows, collected while the pipeline runs as it does in service."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from zlib import crc32

import numpy as np
from msgspec import Struct

from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.finding import Finding
from hubblewatch.model.feature import FEATURES
from hubblewatch.model.matrix import Flags, Indices, Matrix
from hubblewatch.model.measure import is_measurable, measure
from hubblewatch.window.closed import Subject
from hubblewatch.window.closing import Closing

MAX_ROWS = 1_000_000
"""Rows held; of more, half of the subjects make room: a forest samples its rows anyway, and whole
histories are kept because a threshold is found on windows that follow each other."""

_HASHED = 1 << 32

LeftOut = dict[str, Counter[int]]
"""How many windows were left out: by why, and by the number of the window."""


def totals(left_out: LeftOut) -> dict[str, int]:
    """Give how many were left out in all, by why."""
    return {why: sum(counts.values()) for why, counts in left_out.items()}


class Rows(Struct, frozen=True):
    """Measured windows: ``values`` one row each, ``numbers`` the window, ``subjects`` whose.

    Subjects are numbered in the order of their first row; ``quiet`` rows are those of subjects
    without an open incident that pages.
    """

    values: Matrix
    numbers: Indices
    subjects: Indices
    quiet: Flags


class Collector:
    """A detector that finds nothing and notes what the forest would see; also an observer."""

    name = "collector"

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self.spans: dict[int, tuple[int, int]] = {}
        """Begin and end of what was inspected, epoch seconds, by window number."""
        self.left_out: LeftOut = {
            why: Counter() for why in ("incomplete", "alerted", "cold", "thinned")
        }
        self._max_rows = max_rows
        self._kept_below = _HASHED
        self._blocks: list[Matrix] = []
        self._numbers: list[int] = []
        self._subjects: list[int] = []
        self._quiet: list[bool] = []
        self._known: dict[Subject, int] = {}
        self._unsettled: deque[list[Subject]] = deque()

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Measure the closing; there is nothing to find."""
        number = closing.number
        self.spans[number] = (closing.start, closing.end)
        if not is_measurable(closing):
            self.left_out["incomplete"][number] += len(closing.windows)
            self._unsettled.append([])
            return ()
        measured = measure(closing, memory)
        self.left_out["cold"][number] += len(closing.windows) - len(measured.rows)
        subjects = [closing.windows[row].subject for row in measured.rows]
        kept = [row for row, subject in enumerate(subjects) if self._keeps(subject)]
        self.left_out["thinned"][number] += len(subjects) - len(kept)
        subjects = [subjects[row] for row in kept]
        self._unsettled.append(subjects)
        self._blocks.append(measured.values[kept])
        for subject in subjects:
            self._numbers.append(number)
            self._subjects.append(self._known.setdefault(subject, len(self._known)))
        return ()

    def settle(self, closing: Closing) -> None:
        """After each closing that was inspected: see which of its subjects were not quiet."""
        alerted = {window.subject for window in closing.windows if window.is_alerted}
        for subject in self._unsettled.popleft():
            self._quiet.append(subject not in alerted)
            self.left_out["alerted"][closing.number] += subject in alerted
        if not self._unsettled:
            while len(self._numbers) > self._max_rows and self._kept_below > 1:
                self._thin()

    def _keeps(self, subject: Subject) -> bool:
        return crc32("\0".join(subject).encode("utf-8", "surrogatepass")) < self._kept_below

    def _thin(self) -> None:
        """Forget half of the subjects, the same ones in whatever order they came."""
        self._kept_below //= 2
        known = np.array([self._keeps(subject) for subject in self._known], dtype=bool)
        keep = known[np.array(self._subjects, dtype=np.int64)]
        self._blocks = [np.vstack(self._blocks)[keep]]
        numbers = np.array(self._numbers, dtype=np.int64)
        quiet = np.array(self._quiet, dtype=bool)
        self.left_out["thinned"].update(numbers[~keep].tolist())
        # A row left out twice over is told once, as thinned.
        self.left_out["alerted"].subtract(numbers[~keep & ~quiet].tolist())
        self._numbers = numbers[keep].tolist()
        self._subjects = np.array(self._subjects)[keep].tolist()
        self._quiet = quiet[keep].tolist()

    def place_of(self, subject: Subject) -> int:
        """Give the number under which a subject's rows are, -1 if it has none."""
        return self._known.get(subject, -1)

    def rows(self) -> Rows:
        """Give all rows, in the order of time."""
        width = len(FEATURES)
        return Rows(
            np.vstack(self._blocks) if self._blocks else np.zeros((0, width)),
            np.array(self._numbers, dtype=np.int64),
            np.array(self._subjects, dtype=np.int64),
            np.array(self._quiet, dtype=bool),
        )
