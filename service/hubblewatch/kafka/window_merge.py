"""Windows of several partitions, merged by the time at which they begin, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from hubblewatch.flow.timestamp import SecondsCache
from hubblewatch.window.closed import WindowRecord

REORDER_SECONDS = 120
"""Within a partition windows come in order, unless several partitions of the flows feed it."""

LEAD_SECONDS = 600
"""A partition so far ahead of the last one waits."""


class WindowMerge:
    """Takes each partition's windows as they come, gives them by time.

    A stretch of time is given when no partition can bring more of it. Memory holds what lies
    between the last partition and the first, so those in ``ahead`` are not to be read for now.
    ``late`` counts windows of a stretch that was given already; they are left out.
    """

    def __init__(self, partitions: set[int]) -> None:
        self.late = 0
        self._latest = dict.fromkeys(partitions, -1)
        self._held: dict[int, list[WindowRecord]] = {}
        self._given_before = -1
        self._seconds = SecondsCache()

    def start_of(self, window: WindowRecord) -> int:
        """Give the epoch second at which the window begins; raise TimestampError."""
        return self._seconds[window.start[:19]]

    def pass_over(self, partition: int, start: int) -> None:
        """Note that a partition has come to ``start``."""
        self._latest[partition] = max(self._latest[partition], start)

    def take(self, partition: int, window: WindowRecord) -> None:
        """Take a partition's next window."""
        start = self.start_of(window)
        self.pass_over(partition, start)
        if start < self._given_before:
            self.late += 1
        else:
            self._held.setdefault(start, []).append(window)

    def finish(self, partition: int) -> None:
        """A partition has no more windows."""
        self._latest.pop(partition, None)

    @property
    def pending(self) -> set[int]:
        """Partitions that are not finished."""
        return set(self._latest)

    @property
    def ahead(self) -> set[int]:
        """Partitions to leave alone until the others have come as far."""
        last = min(self._latest.values(), default=0)
        return {number for number, at in self._latest.items() if at > last + LEAD_SECONDS}

    @property
    def held(self) -> int:
        """Windows in memory."""
        return sum(map(len, self._held.values()))

    def ready(self) -> Iterator[list[WindowRecord]]:
        """Give the windows of each stretch that is complete, in the order of time."""
        before = min(self._latest.values(), default=None)
        if before is not None:
            self._given_before = max(self._given_before, before - REORDER_SECONDS)
        due = sorted(s for s in self._held if before is None or s < self._given_before)
        for start in due:
            windows = self._held.pop(start)
            yield sorted(windows, key=lambda w: (w.namespace, w.workload, w.direction))
