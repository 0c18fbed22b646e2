"""The ground truth: what was attempted in each window, and what was done on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hubblewatch.simulate.clock import MINUTE, rfc3339
from hubblewatch.simulate.connections import Connection, Protocol
from hubblewatch.simulate.peers import ApiServer, HealthEndpoint, Host, compact

WINDOW_NS = MINUTE

Subject = tuple[str, str, str]
"""Namespace, workload, and `outbound` or `inbound`."""

_COUNTERS = (
    "attempts",
    "allowed",
    "denied",
    "audited",
    "dropped",
    "failed",
    "tcp",
    "udp",
    "sctp",
    "icmp",
)


@dataclass(slots=True)
class WindowTruth:
    """Counters of one subject in one window."""

    start_ns: int
    subject: Subject
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTERS, 0))
    peer_namespaces: set[str] = field(default_factory=set)

    def line(self) -> str:
        """The window as a line of the truth file."""
        namespace, workload, direction = self.subject
        return compact(
            {
                "window": {
                    "start": rfc3339(self.start_ns),
                    "end": rfc3339(self.start_ns + WINDOW_NS),
                    "namespace": namespace,
                    "workload": workload,
                    "direction": direction,
                    **self.counts,
                    "peer_namespaces": sorted(self.peer_namespaces),
                }
            }
        )


@dataclass(slots=True)
class Label:
    """Something done on purpose; `kind` is `attack` or `disturbance`.

    `detectors` are those that should find an attack; a disturbance should raise none, except
    those it names.
    """

    name: str
    kind: str
    start_ns: int
    end_ns: int
    intensity: float
    subjects: list[Subject]
    detectors: list[str]
    description: str

    def line(self) -> str:
        """The label as a line of the truth file."""
        return compact(
            {
                "label": {
                    "name": self.name,
                    "kind": self.kind,
                    "start": rfc3339(self.start_ns),
                    "end": rfc3339(self.end_ns),
                    "intensity": self.intensity,
                    "subjects": [
                        {"namespace": namespace, "workload": workload, "direction": direction}
                        for namespace, workload, direction in self.subjects
                    ],
                    "detectors": self.detectors,
                    "description": self.description,
                }
            }
        )


def subject_of(connection: Connection) -> Subject | None:
    """Under whom an attempt counts; None for probes and for what touches no pod.

    Probes are what involves a health endpoint, and what a node sends to its own pods.
    """
    source, destination = connection.source, connection.destination
    if isinstance(source, HealthEndpoint) or isinstance(destination, HealthEndpoint):
        return None
    if source.is_pod:
        return (source.namespace, source.workload, "outbound")
    if isinstance(source, Host | ApiServer) and source.node is destination.node:
        return None
    if destination.is_pod:
        return (destination.namespace, destination.workload, "inbound")
    return None


class TruthCounter:
    """Counts attempts by subject and window of begin; windows leave as time passes them."""

    def __init__(self) -> None:
        self._start_ns = -1
        self._windows: dict[Subject, WindowTruth] = {}

    def add(self, connection: Connection) -> Iterator[WindowTruth]:
        """Counts a connection, not earlier than the one before; gives windows that ended."""
        start_ns = connection.start_ns - connection.start_ns % WINDOW_NS
        if start_ns != self._start_ns:
            yield from self.close()
            self._start_ns = start_ns
        subject = subject_of(connection)
        if subject is None:
            return
        window = self._windows.get(subject)
        if window is None:
            window = self._windows[subject] = WindowTruth(start_ns, subject)
        counts = window.counts
        if connection.protocol is Protocol.ICMP:
            counts["icmp"] += 1
            return
        counts["attempts"] += 1
        counts[connection.outcome.value] += 1
        counts[connection.protocol.name.lower()] += 1
        if subject[2] == "outbound" and connection.destination.is_pod:
            window.peer_namespaces.add(connection.destination.namespace)

    def close(self) -> Iterator[WindowTruth]:
        """Gives the windows that are open, by subject."""
        for subject in sorted(self._windows):
            yield self._windows[subject]
        self._windows = {}
