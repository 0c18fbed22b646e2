"""Suppressions: what the operator does not want to hear of, for a time and with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from msgspec import Struct

from hubblewatch.detectors.finding import Finding, PeerRef

NEVER_EXPIRES = 1 << 62
_DAY = 86_400


class DailyRange(Struct, frozen=True):
    """From ``begin`` until before ``end``, seconds of the UTC day; past midnight if end is lower.

    ``weekdays`` (0 is Monday) are those on which it begins; empty means each day.
    """

    begin: int
    end: int
    weekdays: frozenset[int] = frozenset()

    def holds(self, at: int) -> bool:
        """Tell whether an epoch second lies in it."""
        second = at % _DAY
        day = datetime.fromtimestamp(at, UTC).weekday()
        if self.begin < self.end:
            return self.begin <= second < self.end and self._begins_on(day)
        if second >= self.begin:
            return self._begins_on(day)
        return second < self.end and self._begins_on((day - 1) % 7)

    def _begins_on(self, day: int) -> bool:
        return not self.weekdays or day in self.weekdays


class Suppression(Struct, frozen=True, kw_only=True):
    """One entry; a field that is empty asks for nothing, all that are given must match.

    Texts are shell-style patterns, upper and lower case differ. ``peer`` is matched against
    ``namespace/workload``, or the name or address of a peer outside; it and ``ports`` must match
    all that the finding is about, so that an entry for one peer never hides another one: where it
    is about more than it has room to name, they match nothing. Times are epoch seconds: it holds
    from ``start`` until before ``end``, and never from ``expires`` on.
    """

    name: str
    owner: str
    reason: str
    expires: int
    detector: str = ""
    namespace: str = ""
    workload: str = ""
    peer: str = ""
    ports: frozenset[int] = frozenset()
    daily: DailyRange | None = None
    start: int | None = None
    end: int | None = None

    def holds(self, at: int) -> bool:
        """Tell whether it is in force at an epoch second."""
        return (
            at < self.expires
            and (self.start is None or at >= self.start)
            and (self.end is None or at < self.end)
            and (self.daily is None or self.daily.holds(at))
        )

    def covers(self, finding: Finding) -> bool:
        """Tell whether it is meant for a finding, whatever the time."""
        subject = finding.subject
        return (
            _matches(self.detector, finding.detector)
            and _matches(self.namespace, subject.namespace)
            and _matches(self.workload, subject.workload)
            and (not self.peer or self._covers_peers(finding))
            and (not self.ports or self._covers_ports(finding))
        )

    def _covers_peers(self, finding: Finding) -> bool:
        peers = finding.peers
        if not peers or finding.unnamed.peers:
            return False
        return all(fnmatchcase(_peer_name(peer), self.peer) for peer in peers)

    def _covers_ports(self, finding: Finding) -> bool:
        ports = {*finding.ports, *(port for peer in finding.peers for port in peer.ports)}
        return bool(ports) and not finding.unnamed.ports and ports <= self.ports


class Suppressions:
    """The entries in force; the first one that matches counts."""

    def __init__(self, entries: Sequence[Suppression] = ()) -> None:
        self.entries = tuple(entries)

    def match(self, finding: Finding, at: int) -> str | None:
        """Give the name of the entry that suppresses a finding, or None.

        ``at`` is the end of the closing, epoch seconds; what counts is the last second before it.
        """
        for entry in self.entries:
            if entry.holds(at - 1) and entry.covers(finding):
                return entry.name
        return None

    def expired(self, at: int) -> list[str]:
        """Give the names of the entries that have expired and can be deleted."""
        return [entry.name for entry in self.entries if entry.expires <= at]


def _matches(pattern: str, text: str) -> bool:
    return not pattern or fnmatchcase(text, pattern)


def _peer_name(peer: PeerRef) -> str:
    return f"{peer.namespace}/{peer.workload}" if peer.namespace else peer.workload
