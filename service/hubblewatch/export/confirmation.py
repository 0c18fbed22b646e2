"""Tells a source that remembers its place how far Kafka has its lines."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol, runtime_checkable

EVERY_SECONDS = 1.0
"""How often a place is marked; what came after the last one is read again after a crash."""

MAX_MARKS = 120
"""Places whose lines are under way; while Kafka takes none, no more are marked."""


@runtime_checkable
class Confirmable(Protocol):
    """A source that goes on, after a restart, where all before had arrived."""

    def position(self) -> Any:
        """Give how far all lines have been taken."""
        ...

    async def confirm(self, position: Any) -> None:
        """All lines up to ``position`` have arrived."""
        ...


class Confirmation:
    """Marks of one source: its positions, and how many records had been handed in by then."""

    def __init__(self, source: Confirmable) -> None:
        self._source = source
        self._marks: deque[tuple[int, Any]] = deque()
        self._marked_at: float | None = None

    def is_due(self, now: float) -> bool:
        """Tell whether to mark again, at ``now`` in monotonic seconds."""
        if self._marked_at is None:
            self._marked_at = now
        return now - self._marked_at >= EVERY_SECONDS and len(self._marks) < MAX_MARKS

    def mark(self, now: float, handed_in: int) -> None:
        """All lines taken by now are in the first ``handed_in`` records."""
        self._marked_at = now
        self._marks.append((handed_in, self._source.position()))

    async def confirm(self, delivered: int) -> None:
        """The first ``delivered`` records have arrived: tell the source, if that is news."""
        reached = None
        while self._marks and self._marks[0][0] <= delivered:
            reached = self._marks.popleft()
        if reached is not None:
            await self._source.confirm(reached[1])
