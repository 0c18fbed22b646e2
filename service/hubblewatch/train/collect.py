"""Feature rows of quiet windows, collected while the pipeline runs as it does in service."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.finding import Finding
from hubblewatch.model.feature import FEATURES
from hubblewatch.model.matrix import Flags, Indices, Matrix
from hubblewatch.model.measure import is_measurable, measure
from hubblewatch.pipeline import Closed
from hubblewatch.window.closed import Subject
from hubblewatch.window.closing import Closing


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

    def __init__(self) -> None:
        self.left_out: dict[str, int] = {"incomplete": 0, "alerted": 0, "cold": 0}
        self._blocks: list[Matrix] = []
        self._numbers: list[int] = []
        self._subjects: list[int] = []
        self._quiet: list[bool] = []
        self._known: dict[Subject, int] = {}
        self._last: list[Subject] = []

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Measure the closing; there is nothing to find."""
        self._last = []
        if not is_measurable(closing):
            self.left_out["incomplete"] += len(closing.windows)
            return ()
        measured = measure(closing, memory)
        self.left_out["cold"] += len(closing.windows) - len(measured.rows)
        self._last = [closing.windows[row].subject for row in measured.rows]
        self._blocks.append(measured.values)
        for subject in self._last:
            self._numbers.append(closing.number)
            self._subjects.append(self._known.setdefault(subject, len(self._known)))
        return ()

    def settle(self, closed: Closed, alerted: set[Subject]) -> None:
        """After the closing: say which of its subjects were not quiet."""
        for subject in self._last:
            self._quiet.append(subject not in alerted)
            self.left_out["alerted"] += subject in alerted
        self._last = []

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
