"""Refused lines on their way to the topic of rejects: all counted, not all kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.shape import shape_of

BURST = 1_000
A_SECOND = 50
"""Rejects kept at once, and each second: a wrong file must not fill Kafka with its lines."""

MAX_HEADER_BYTES = 500


class RejectRecord:
    """One reject as a record: what may be kept of the line's begin, and headers that say what was
    wrong where."""

    __slots__ = ("headers", "value")

    def __init__(self, reject: Reject, excerpt: Callable[[bytes], bytes]) -> None:
        self.value = excerpt(reject.excerpt)
        self.headers: tuple[tuple[str, bytes], ...] = tuple(
            (name, text.encode("utf-8", "replace")[:MAX_HEADER_BYTES])
            for name, text in (
                ("reason", reject.reason.value),
                ("place", reject.place),
                ("detail", reject.detail),
            )
        )


class Rejects:
    """Counts rejects by reason; keeps as many for publishing as the bounds allow.

    ``clock`` gives monotonic seconds, ``excerpt`` what may be kept of a refused line.
    """

    def __init__(
        self, clock: Callable[[], float], excerpt: Callable[[bytes], bytes] = shape_of
    ) -> None:
        self.counts: defaultdict[RejectReason, int] = defaultdict(int)
        self.unpublished = 0
        """Counted only: there were too many at once."""
        self._clock = clock
        self._excerpt = excerpt
        self._allowance = float(BURST)
        self._at = clock()
        self._kept: list[RejectRecord] = []

    @property
    def total(self) -> int:
        """Refused lines of all reasons."""
        return sum(self.counts.values())

    def take(self, reject: Reject) -> None:
        """Count a reject, and keep it if there is room."""
        self.counts[reject.reason] += 1
        now = self._clock()
        self._allowance = min(BURST, self._allowance + (now - self._at) * A_SECOND)
        self._at = now
        if self._allowance < 1 or len(self._kept) >= BURST:
            self.unpublished += 1
            return
        self._allowance -= 1
        self._kept.append(RejectRecord(reject, self._excerpt))

    def drain(self) -> list[RejectRecord]:
        """Give what was kept since the last call."""
        kept, self._kept = self._kept, []
        return kept
