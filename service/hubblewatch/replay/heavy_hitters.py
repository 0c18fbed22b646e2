"""The most frequent keys of a stream, in bounded memory."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Key = TypeVar("Key")

KEPT_KEYS = 5_000


class HeavyHitters(Generic[Key]):
    """Counts by key, of which the smallest are forgotten when there are too many.

    Space-saving counters (A. Metwally, D. Agrawal, A. El Abbadi, ICDT 2005), evicted half at a
    time: a key that comes back starts at the highest count ever forgotten (``floor``). No key with
    more than ``floor`` is missing, and a count is at most ``floor`` too high. Below ``2 * kept``
    keys ``floor`` is 0 and all counts are exact.
    """

    def __init__(self, kept: int = KEPT_KEYS) -> None:
        self._kept = kept
        self._counts: dict[Key, int] = {}
        self.floor = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: Key, count: int) -> None:
        """Count ``key`` so many times."""
        known = self._counts.get(key)
        if known is None:
            if len(self._counts) >= 2 * self._kept:
                self._forget()
            known = self.floor
        self._counts[key] = known + count

    def top(self, number: int) -> list[tuple[Key, int]]:
        """Give the most frequent keys and counts, highest first, equal ones by first sight."""
        return heapq.nlargest(number, self._counts.items(), key=lambda entry: entry[1])

    def _forget(self) -> None:
        by_count = sorted(self._counts.items(), key=lambda entry: entry[1], reverse=True)
        self.floor = by_count[self._kept][1]
        self._counts = dict(by_count[: self._kept])
