"""Closed windows and closings without lines, and a stream that shows them to a detector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.finding import Finding, Reason, Severity
from hubblewatch.window.closed import (
    OUTBOUND,
    ClosedWindow,
    ContactKey,
    EdgeCounts,
    EdgeKey,
    Subject,
)
from hubblewatch.window.closing import Closing
from hubblewatch.window.completeness import Completeness

SIZE = 60
FIRST = 29_540_640
"""Number of the first window: 2026-03-02T08:00:00Z."""

CART = Subject("shop", "cart", OUTBOUND)

WHOLE = Completeness(1.0, 0, 0.0, [], 0.0, 0.0)


def attempts(
    window: ClosedWindow,
    count: int,
    to: str = "shop/stock",
    port: int = 8_080,
    protocol: str = "tcp",
    outcome: Outcome = Outcome.ALLOWED,
    address: str = "",
    at: int = 0,
) -> None:
    """Count attempts to ``namespace/workload`` (or a name outside) in a window.

    ``at`` is when those to the outside begin, in seconds of the window.
    """
    if not count:
        return
    namespace, _, workload = to.rpartition("/")
    edge = EdgeKey(namespace, workload, port, protocol)
    counts = window.edges.setdefault(edge, EdgeCounts())
    counts.attempts += count
    if not namespace and "." in workload:
        window.external.add(workload)
        counts.begins = (counts.begins or []) + [window.start + at] * count
    if outcome is not Outcome.ALLOWED:
        name = outcome.name.lower()
        setattr(counts, name, getattr(counts, name) + count)
    window.attempts += count
    window.outcomes[outcome] += count
    setattr(window, protocol, getattr(window, protocol) + count)
    if protocol == "udp" and port == 53:
        window.udp_dns += count
    contact = ContactKey(address or to, port, protocol)
    numbers = window.contacts.setdefault(contact, [0, 0])
    numbers[0] += count
    window.peer_ports.add(port)
    if namespace:
        window.peer_namespaces.add(namespace)
        window.peer_workloads.add((namespace, workload))
    if outcome not in (Outcome.ALLOWED, Outcome.AUDITED):
        numbers[1] += count
        window.refused[contact] = edge
    window.pods.add(f"{window.subject.workload}-0")


class Stream:
    """Shows one detector closing after closing, each a minute, and lets the memory learn."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.memory = Memory()
        self.number = FIRST
        self._windows: dict[Subject, ClosedWindow] = {}

    def window(self, subject: Subject = CART) -> ClosedWindow:
        """Give the window of a subject in the closing that comes next."""
        if subject not in self._windows:
            start = self.number * SIZE
            self._windows[subject] = ClosedWindow(subject, start, start + SIZE, "default")
        return self._windows[subject]

    def close(
        self,
        *,
        completeness: Completeness = WHOLE,
        events: Mapping[str, int] | None = None,
        lost: Mapping[tuple[str, str], int] | None = None,
        late: int = 0,
    ) -> list[Finding]:
        """Close what was counted since the last time; give the detector's findings."""
        closing = closing_of(self._windows.values(), self.number, completeness=completeness)
        closing.age = self.number - FIRST
        closing.events = dict(events or {})
        closing.lost = dict(lost or {})
        closing.late = late
        self.memory.meet(closing)
        findings = list(self.detector.inspect(closing, self.memory))
        self.memory.learn(closing, (finding.subject for finding in findings))
        self._windows = {}
        self.number += 1
        return findings

    def repeat(self, minutes: int, count: int = 20, subject: Subject = CART) -> None:
        """Let quiet minutes pass in which the subject makes some connections."""
        for _ in range(minutes):
            attempts(self.window(subject), count)
            findings = self.close()
            assert findings == []


def closing_of(
    windows: Iterable[ClosedWindow], number: int = FIRST, completeness: Completeness = WHOLE
) -> Closing:
    """Give a closing of windows."""
    return Closing(
        number,
        number * SIZE,
        (number + 1) * SIZE,
        "default",
        sorted(windows, key=lambda window: window.subject),
        completeness,
        completeness.share >= 0.8,
        number - FIRST,
    )


def seen(share: float, silent: Iterable[str] = ()) -> Completeness:
    """A completeness of that share; by losses, or by silent nodes where some are named."""
    nodes = list(silent)
    missing = 1 - share
    return Completeness(
        share,
        0 if nodes else 1_000,
        0.0 if nodes else missing,
        nodes,
        missing if nodes else 0.0,
        0.0,
    )


def finding(
    detector: str = "policy-denials",
    severity: Severity = Severity.WARNING,
    subject: Subject = CART,
    **fields: object,
) -> Finding:
    """A finding of any detector."""
    known: dict[str, object] = {
        "observed": 12.0,
        "expected": 1.0,
        "unit": "denied attempts",
        "summary": "twelve attempts were denied",
        "description": "they were denied",
        "recommendation": "look at the policies",
        "reasons": [Reason("denied", 12.0, 0.0, 2.0)],
    }
    return Finding(detector, severity, subject, **(known | fields))  # type: ignore[arg-type]
