"""Heartbeats that are missing from the stream: how much of which window they took with them."""

from __future__ import annotations

from hubblewatch.window.watermark import Gap

MAX_WINDOWS = 1_000
"""Windows that one gap is spread over; an older part of it is nobody's any more."""


class Gaps:
    """The share of each open window, 0 to 1, that gaps in the heartbeats' sequences cover.

    A heartbeat comes each second, so a gap lies between the event times of those around it; of
    several exporters each carries an equal part of the stream.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._shares: dict[int, float] = {}

    def add(self, gap: Gap, exporters: int, closed_through: int) -> None:
        """Spread a gap over the windows after ``closed_through`` that it lies in."""
        since = min(gap.since, gap.until - gap.missing)
        density = gap.missing / (gap.until - since) / exporters
        last = gap.until // self._size
        first = max(since // self._size, closed_through + 1, last - MAX_WINDOWS)
        for number in range(first, last + 1):
            start = number * self._size
            overlap = min(gap.until, start + self._size) - max(since, start)
            if overlap > 0:
                self._shares[number] = self.share(number) + overlap * density / self._size

    def share(self, number: int) -> float:
        """Give what is missing of a window."""
        return min(1.0, self._shares.get(number, 0.0))

    def forget(self, number: int) -> None:
        """Drop a window that closed, and those before it that a pause has passed over."""
        self._shares = {known: part for known, part in self._shares.items() if known > number}
