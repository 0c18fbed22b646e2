"""What a replay showed, in memory that does not grow with the recording."""

from __future__ import annotations

import heapq
from collections import deque

from msgspec import Struct, field

from hubblewatch.pipeline import Closed
from hubblewatch.replay.heavy_hitters import HeavyHitters
from hubblewatch.replay.incident_log import IncidentLog
from hubblewatch.window.closed import INBOUND, ClosedWindow, EdgeKey, Subject
from hubblewatch.window.closing import Closing

RECENT_DENIALS = 8
WORST_CLOSINGS = 5
MAX_POLICIES = 3
MAX_POLICY_EDGES = 10_000
"""Bounds on the policies named for one edge, and on the edges that have any named."""

MAX_SUBJECTS = 20_000
"""Subjects that are told apart; where there are more, it is said that there are."""

DEFAULT_DENY = "none (default deny)"


class Flight(Struct, frozen=True, order=True):
    """An edge with its subject: who talked to whom."""

    subject: Subject
    peer: EdgeKey

    def __str__(self) -> str:
        subject = f"{self.subject.namespace}/{self.subject.workload}"
        peer = f"{self.peer.namespace}/{self.peer.workload}"
        if not self.peer.namespace:
            peer = self.peer.workload
        if self.subject.direction == INBOUND:
            subject, peer = peer, subject
        return f"{subject} → {peer}:{self.peer.port}/{self.peer.protocol}"


class Denial(Struct, frozen=True):
    """Denied attempts of one edge in the window that begins at ``start``, epoch seconds."""

    start: int
    flight: Flight
    attempts: int


class Incompleteness(Struct, frozen=True, order=True):
    """A closing of which a share of 0 to 1 was ``missed``; worse ones sort last."""

    missed: float
    start: int = 0
    lost: int = 0
    silent_nodes: list[str] = field(default_factory=list)
    gap_share: float = 0.0


class Summary:
    """Observes closings; ``start`` and ``end`` are epoch seconds of the first and last one."""

    def __init__(self) -> None:
        self.start: int | None = None
        self.end = 0
        self.closings = 0
        self.windows = 0
        self.subjects: set[Subject] = set()
        """Those of all windows, also of windows without attempts; at most MAX_SUBJECTS."""
        self.attempts = 0
        self.outcomes: dict[str, int] = {}
        self.protocols: dict[str, int] = {}
        self.talkers: HeavyHitters[Subject] = HeavyHitters()
        self.unsuccessful: HeavyHitters[Subject] = HeavyHitters()
        self.edges: HeavyHitters[Flight] = HeavyHitters()
        self.denied_edges: HeavyHitters[Flight] = HeavyHitters()
        self.denials: deque[Denial] = deque(maxlen=RECENT_DENIALS)
        self.policies: dict[Flight, list[str]] = {}
        self.dns_failures: HeavyHitters[Subject] = HeavyHitters()
        self.dns_queries = 0
        self.dns_failed = 0
        self.incomplete = 0
        self.below_floor = 0
        self.worst: list[Incompleteness] = []
        self.capped = 0
        self.incidents = IncidentLog()

    def observe(self, closed: Closed) -> None:
        """Add a closing and its alerts."""
        closing = closed.closing
        if self.start is None:
            self.start = closing.start
        self.end = closing.end
        self.closings += 1
        self.windows += len(closing.windows)
        for (_, protocol, outcome), attempts in closing.attempts.items():
            if protocol != "icmp":
                self.attempts += attempts
                self.outcomes[outcome] = self.outcomes.get(outcome, 0) + attempts
            self.protocols[protocol] = self.protocols.get(protocol, 0) + attempts
        self._judge_completeness(closing)
        for window in closing.windows:
            self._add(window)
        for alert in closed.alerts:
            self.incidents.take(alert)

    def _add(self, window: ClosedWindow) -> None:
        subject = window.subject
        if len(self.subjects) < MAX_SUBJECTS:
            self.subjects.add(subject)
        self.capped += window.capped
        if window.attempts:
            self.talkers.add(subject, window.attempts)
        if unsuccessful := window.denied + window.failed + window.dropped:
            self.unsuccessful.add(subject, unsuccessful)
        self.dns_queries += window.dns_queries
        if window.dns_failures:
            self.dns_failed += window.dns_failures
            self.dns_failures.add(subject, window.dns_failures)
        for key, counts in window.edges.items():
            flight = Flight(subject, key)
            self.edges.add(flight, counts.attempts)
            if counts.denied:
                self._add_denial(window, flight, counts.denied)

    def _add_denial(self, window: ClosedWindow, flight: Flight, denied: int) -> None:
        self.denied_edges.add(flight, denied)
        self.denials.append(Denial(window.start, flight, denied))
        if flight in self.policies or len(self.policies) < MAX_POLICY_EDGES:
            known = self.policies.setdefault(flight, [])
            for policy in _policies_of_one_edge(window):
                if policy not in known and len(known) < MAX_POLICIES:
                    known.append(policy)

    def _judge_completeness(self, closing: Closing) -> None:
        seen = closing.completeness
        if seen.share >= 1:
            return
        self.incomplete += 1
        self.below_floor += not closing.is_complete
        found = Incompleteness(
            1 - seen.share, closing.start, seen.lost, list(seen.silent_nodes), seen.gap_share
        )
        if len(self.worst) < WORST_CLOSINGS:
            heapq.heappush(self.worst, found)
        else:
            heapq.heappushpop(self.worst, found)


def _policies_of_one_edge(window: ClosedWindow) -> list[str]:
    """Give the policies that denied, where it is beyond doubt which edge they denied.

    A window names its policies for all edges together: with several denied ones, it stays open.
    """
    if not window.policies:
        return [DEFAULT_DENY]
    denied = sum(1 for counts in window.edges.values() if counts.denied)
    return list(window.policies) if denied == 1 else []
