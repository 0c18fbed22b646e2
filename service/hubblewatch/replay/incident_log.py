"""The incidents of a replay, from their alert records."""

from __future__ import annotations

from msgspec import Struct

from hubblewatch.alert.record import AlertRecord, AlertStatus, Transition
from hubblewatch.detectors.finding import Severity

MAX_INCIDENTS = 1_000
"""Incidents kept; beyond them a milder one makes room for a worse one, and all are counted."""


class IncidentStory(Struct):
    """One incident: its last firing record (the worst), and its end if it had one."""

    alert: AlertRecord
    is_resolved: bool = False
    last_seen: str = ""

    @property
    def weight(self) -> tuple[bool, int]:
        """Sorts by urgency; a shadow alert is below all others."""
        return not self.alert.shadow, self.alert.severity.rank


class IncidentLog:
    """Incidents in the order in which they opened."""

    def __init__(self, bound: int = MAX_INCIDENTS) -> None:
        self.opened = 0
        self.worst: Severity | None = None
        """The worst severity that fired; shadow alerts do not count."""
        self._bound = bound
        self._stories: dict[str, IncidentStory] = {}

    def __len__(self) -> int:
        return len(self._stories)

    @property
    def forgotten(self) -> int:
        """Incidents that were counted and not kept."""
        return self.opened - len(self._stories)

    def take(self, alert: AlertRecord) -> None:
        """Add an alert record."""
        known = self._stories.get(alert.incident)
        if alert.status is AlertStatus.RESOLVED:
            if known is not None:
                known.is_resolved = True
                known.last_seen = alert.last_seen
            return
        if not alert.shadow and (self.worst is None or alert.severity.rank > self.worst.rank):
            self.worst = alert.severity
        if known is not None and not known.is_resolved:
            known.alert = alert
            known.last_seen = alert.last_seen
            return
        if known is not None:
            # The same thing again after it had ended: one story, told by its worse time.
            known.is_resolved = False
            known.last_seen = alert.last_seen
            if alert.severity.rank > known.alert.severity.rank:
                known.alert = alert
            return
        # One that was counted and not kept gets worse: it is told from here on, not counted again.
        self.opened += alert.transition is Transition.OPEN
        story = IncidentStory(alert, last_seen=alert.last_seen)
        if len(self._stories) >= self._bound:
            mildest = min(self._stories, key=lambda incident: self._stories[incident].weight)
            if self._stories[mildest].weight >= story.weight:
                return
            del self._stories[mildest]
        self._stories[alert.incident] = story

    def most_severe(self) -> list[IncidentStory]:
        """Give the kept incidents, most severe first, then in the order in which they opened."""
        return sorted(self._stories.values(), key=lambda story: story.weight, reverse=True)
