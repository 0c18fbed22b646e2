"""The refused lines of a replay: how many for which reason, and where the first were."""

from __future__ import annotations

from hubblewatch.flow.reject import Reject, RejectReason

KEPT_PLACES = 3
"""First refused lines of each reason that are shown."""


class Rejects:
    """Counts refused lines; the first of each reason are kept whole."""

    def __init__(self) -> None:
        self.counts: dict[RejectReason, int] = {}
        self.first: dict[RejectReason, list[Reject]] = {}

    @property
    def total(self) -> int:
        """Refused lines of all reasons."""
        return sum(self.counts.values())

    @property
    def described(self) -> str:
        """Refused lines by reason, such as ``malformed 1, time 12``."""
        return ", ".join(f"{reason} {count:,}" for reason, count in self.counts.items())

    def take(self, reject: Reject) -> None:
        """Count a refused line."""
        self.counts[reject.reason] = self.counts.get(reject.reason, 0) + 1
        kept = self.first.setdefault(reject.reason, [])
        if len(kept) < KEPT_PLACES:
            kept.append(reject)
