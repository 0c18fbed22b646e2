"""What the service remembers between windows: of each subject, each namespace and the stream.

All of it is msgspec Structs, so that it can be written to the state topic and read back as it was;
``changed`` names what a closing touched. Every collection is bounded, and subjects expire.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from hubblewatch.baseline.estimate import BaselineState, Estimate
from hubblewatch.window.closed import ClosedWindow, EdgeKey, Subject
from hubblewatch.window.closing import Closing
from hubblewatch.window.completeness import NodeWatch

RECENT_WINDOWS = 10
MAX_PEERS = 512
MAX_NAMESPACES = 512
MAX_TRIED = 4_096
TRIED_WINDOWS = 5
SUBJECT_EXPIRES_AFTER_WINDOWS = 7 * 24 * 60
SUSPICIOUS_WEIGHT = 0.1
"""How fast a baseline learns from a window that raised a finding: an attack must not become usual
within hours, a lasting change of the service should within a day or two."""


class Span(Struct):
    """First and last window number in which something was seen."""

    first: int
    last: int


class Recent(Struct):
    """The counts of one recent window of a subject; a window without attempts has none."""

    number: int
    attempts: int
    denied: int
    failed: int
    udp: int
    """UDP attempts that name resolution does not explain."""
    complete: bool


class SubjectMemory(Struct):
    """One subject's past. ``tried`` maps unsuccessful contacts of the last windows to the number of
    the last one; ``namespaces`` and ``peers`` hold whom it talked to with success or without."""

    first: int = -1
    last: int = -1
    windows: int = 0
    estimates: dict[str, Estimate] = field(default_factory=dict)
    namespaces: dict[str, Span] = field(default_factory=dict)
    peers: dict[str, Span] = field(default_factory=dict)
    recent: list[Recent] = field(default_factory=list)
    tried: dict[str, int] = field(default_factory=dict)

    def estimate(self, feature: str) -> Estimate:
        """Give the estimate of a feature; an empty one if nothing was learned yet."""
        return self.estimates.get(feature) or Estimate()

    def recent_since(self, number: int) -> list[Recent]:
        """Give the recent windows from ``number`` on, oldest first."""
        return [recent for recent in self.recent if recent.number >= number]

    @property
    def state(self) -> BaselineState:
        """How far this subject's baseline can be trusted."""
        return Estimate(count=self.windows).state


class NamespaceMemory(Struct):
    """A namespace's past: its share of UDP among attempts, and its size."""

    last: int = -1
    windows: int = 0
    udp_share: Estimate = field(default_factory=Estimate)


class StreamMemory(Struct):
    """The stream's own past."""

    first: int = -1
    closings: int = 0
    nodes: NodeWatch = field(default_factory=NodeWatch)
    degraded: list[int] = field(default_factory=list)
    """Numbers of recent windows below the completeness floor."""
    unavailable: list[str] = field(default_factory=list)
    """Nodes that Relay last reported as not connected."""


class Memory:
    """All memory of one stream (one partition of the flows, or one recording)."""

    def __init__(self) -> None:
        self.subjects: dict[Subject, SubjectMemory] = {}
        self.namespaces: dict[str, NamespaceMemory] = {}
        self.stream = StreamMemory()
        self.changed: set[Subject | str] = set()

    def subject(self, subject: Subject) -> SubjectMemory:
        """Give a subject's memory, beginning one if it is new."""
        memory = self.subjects.get(subject)
        if memory is None:
            memory = self.subjects[subject] = SubjectMemory()
        return memory

    def namespace(self, name: str) -> NamespaceMemory:
        """Give a namespace's memory, beginning one if it is new."""
        memory = self.namespaces.get(name)
        if memory is None:
            memory = self.namespaces[name] = NamespaceMemory()
        return memory

    def meet(self, closing: Closing) -> None:
        """Before the detectors look: note what this closing shows for the first time."""
        if self.stream.first < 0:
            self.stream.first = closing.number
        for window in closing.windows:
            memory = self.subject(window.subject)
            if memory.first < 0:
                memory.first = closing.number
            window.new_edges = sum(
                1 for edge in window.edges if peer_name(edge) not in memory.peers
            )
            for contact, (_, unsuccessful) in window.contacts.items():
                if unsuccessful and len(memory.tried) < MAX_TRIED:
                    key = f"{contact.address}|{contact.port}|{contact.protocol}"
                    memory.tried[key] = closing.number
            memory.recent.append(
                Recent(
                    closing.number,
                    window.attempts,
                    window.denied,
                    window.failed + window.dropped,
                    unexplained_udp(window),
                    closing.is_complete,
                )
            )
            if len(memory.recent) > RECENT_WINDOWS:
                del memory.recent[0]

    def drain_changed(self) -> set[Subject | str]:
        """Give the subjects and namespaces that changed since the last call."""
        changed, self.changed = self.changed, set()
        return changed

    def learn(self, closing: Closing, suspicious: Iterable[Subject]) -> None:
        """After the detectors looked: take the closing into what is usual.

        An incomplete closing teaches no estimate: half of the traffic is not a new normal.
        """
        suspects = frozenset(suspicious)
        for window in closing.windows:
            memory = self.subject(window.subject)
            memory.last = closing.number
            self.changed.add(window.subject)
            if closing.is_complete:
                memory.windows += 1
                weight = SUSPICIOUS_WEIGHT if window.subject in suspects else 1.0
                for feature, value in features(window).items():
                    memory.estimates.setdefault(feature, Estimate()).learn(value, weight)
            _remember(memory.namespaces, window.peer_namespaces, closing.number, MAX_NAMESPACES)
            names = {peer_name(edge) for edge in window.edges}
            _remember(memory.peers, names, closing.number, MAX_PEERS)
            oldest = closing.number - TRIED_WINDOWS
            if memory.tried:
                memory.tried = {k: n for k, n in memory.tried.items() if n > oldest}
        self.stream.nodes.learn(closing.events)
        self.stream.closings += 1
        if self.stream.closings % 60 == 0:
            self._expire(closing.number)

    def _expire(self, number: int) -> None:
        oldest = number - SUBJECT_EXPIRES_AFTER_WINDOWS
        for subject in [s for s, memory in self.subjects.items() if memory.last < oldest]:
            del self.subjects[subject]
            self.changed.add(subject)
        for name in [n for n, memory in self.namespaces.items() if memory.last < oldest]:
            del self.namespaces[name]
            self.changed.add(name)


def peer_name(edge: EdgeKey) -> str:
    """Give the peer of an edge as one text: ``namespace/workload``, or the name or address."""
    return f"{edge.namespace}/{edge.workload}" if edge.namespace else edge.workload


def unexplained_udp(window: ClosedWindow) -> int:
    """UDP attempts beyond the look-ups that go with connections.

    Before it connects a client resolves a name: one UDP attempt per search domain it tries, five
    with Kubernetes' usual resolver configuration (``ndots:5``). Look-ups up to that number for each
    TCP attempt follow from the TCP traffic and say nothing of their own.
    """
    explained = min(window.udp_dns, LOOKUPS_PER_CONNECTION * max(window.tcp, 1))
    return window.udp - explained


LOOKUPS_PER_CONNECTION = 5


def features(window: ClosedWindow) -> dict[str, float]:
    """Give the counts of a window that a subject's baseline follows."""
    return {
        "attempts": window.attempts,
        "denied": window.denied,
        "failed": window.failed + window.dropped,
        "udp": unexplained_udp(window),
        "peer_ports": len(window.peer_ports),
        "peer_addresses": window.peer_addresses,
        "peer_namespaces": len(window.peer_namespaces),
    }


def _remember(spans: dict[str, Span], names: Iterable[str], number: int, bound: int) -> None:
    for name in names:
        span = spans.get(name)
        if span is not None:
            span.last = number
            continue
        if len(spans) >= bound:
            oldest = min(spans, key=lambda known: (spans[known].last, known))
            del spans[oldest]
        spans[name] = Span(number, number)
