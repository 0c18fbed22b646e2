"""What a detector says about one closing: a finding, not yet an alert."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from msgspec import Struct, field

from hubblewatch.window.closed import INBOUND, ClosedWindow, EdgeCounts, EdgeKey, Subject
from hubblewatch.window.closing import Closing

RESOLVE_AFTER_WINDOWS = 5
"""Quiet windows of a complete stream that end an incident; a later finding is another one."""


class Severity(StrEnum):
    """How urgent: info is recorded and never paged."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Order of severities, higher is worse."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Reason(Struct, frozen=True):
    """One feature that speaks for the finding, with what is usual for the subject.

    ``weight`` is this feature's share of the whole, 0..1.
    """

    feature: str
    observed: float
    usual_low: float
    usual_high: float
    weight: float = 1.0


class PeerRef(Struct, frozen=True, omit_defaults=True):
    """A peer that takes part: a workload of a namespace, or a name or address outside of any."""

    workload: str
    namespace: str = ""
    ports: list[int] = field(default_factory=list)
    attempts: int = 0


class Evidence(Struct, frozen=True):
    """Where to look: flow uuids, edges as text, and the policies that decided."""

    flows: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


class Unnamed(Struct, frozen=True):
    """Whether a finding is about peers, or ports, that there was no room to name."""

    peers: bool = False
    ports: bool = False


class Finding(Struct, frozen=True):
    """One detector's judgement on one subject in one closing.

    ``key`` is the detector's own part of the incident's identity (a peer, a port), never a score, a
    time or a window. ``observed``, ``expected`` are in the detector's ``unit``; ``ratio`` is their
    quotient. ``summary`` is one sentence, ``description`` says why in two or three.
    """

    detector: str
    severity: Severity
    subject: Subject
    observed: float
    expected: float
    unit: str
    summary: str
    description: str
    recommendation: str
    reasons: list[Reason]
    score: float = 0.0
    key: str = ""
    peers: list[PeerRef] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    unnamed: Unnamed = Unnamed()
    pods: list[str] = field(default_factory=list)
    since: int | None = None
    """Epoch seconds at which that begins what it tells of; the window's own begin where None."""

    verdict: str = ""
    """Verdict, protocol and ports narrow the command that shows the flows."""
    protocol: str = ""
    ports: list[int] = field(default_factory=list)
    baseline: str = ""
    model: str | None = None
    """The model that judged, where one did."""
    shadow: bool = False
    """Only on trial: recorded, never paged."""
    needs_all_nodes: bool = False
    """The detector does not look while a node is silent: such a window does not show the end."""

    @property
    def ratio(self) -> float:
        """Observed over expected; expected counts as at least one."""
        return self.observed / max(self.expected, 1.0)


def began(window: ClosedWindow | Closing, windows: int) -> int:
    """Give when the first of so many windows began, of which this is the last; epoch seconds."""
    return window.end - windows * (window.end - window.start)


MAX_SHOWN = 10
"""Peers, edges, pods and flows named in one finding."""

Shown = tuple[list[PeerRef], Evidence, Unnamed]


def shown_evidence(
    window: ClosedWindow, outcome: str, keep: Callable[[EdgeKey], bool] = lambda _: True
) -> Shown:
    """Give the peers and evidence of the edges with attempts of that outcome, busiest first.

    Where there are more than can be shown, the third part tells whether they are of other peers and
    ports than those that are.

    ``outcome`` is a field of EdgeCounts: attempts, denied, audited, dropped or failed; or
    unsuccessful, which is denied, dropped and failed together; or broken, which is the same without
    denied. ``keep`` chooses edges.
    """
    edges = sorted(
        (
            (count, key, counts)
            for key, counts in window.edges.items()
            if (count := _count_of(counts, outcome)) and keep(key)
        ),
        key=lambda edge: (-edge[0], edge[1]),
    )
    edges, others = edges[:MAX_SHOWN], [key for _, key, _ in edges[MAX_SHOWN:]]
    peers: dict[tuple[str, str], PeerRef] = {}
    for count, key, _ in edges:
        known = peers.get((key.namespace, key.workload))
        ports = sorted({*(known.ports if known else ()), key.port})
        attempts = count + (known.attempts if known else 0)
        peers[key.namespace, key.workload] = PeerRef(key.workload, key.namespace, ports, attempts)
    source = f"{window.subject.namespace}/{window.subject.workload}"
    inbound = window.subject.direction == INBOUND
    texts = []
    for count, key, _ in edges:
        ends = (key.peer, source) if inbound else (source, key.peer)
        texts.append(f"{ends[0]} -> {ends[1]}:{key.port}/{key.protocol} ({count})")
    flows = [counts.uuid for _, _, counts in edges if counts.uuid]
    named = {port for peer in peers.values() for port in peer.ports}
    unnamed = Unnamed(
        any((key.namespace, key.workload) not in peers for key in others),
        any(key.port not in named for key in others),
    )
    evidence = Evidence(flows, texts, list(window.policies)[:MAX_SHOWN])
    return list(peers.values()), evidence, unnamed


def with_earlier(
    peers: list[PeerRef], unnamed: Unnamed, earlier: Iterable[EdgeKey]
) -> tuple[list[PeerRef], Unnamed]:
    """Add the peers of edges that a finding is about, though the window may not show them."""
    known = {(peer.namespace, peer.workload): peer for peer in peers}
    ports: dict[tuple[str, str], set[int]] = {key: set(peer.ports) for key, peer in known.items()}
    for edge in earlier:
        ports.setdefault((edge.namespace, edge.workload), set()).add(edge.port)
    named = [
        PeerRef(workload, namespace, sorted(met), known[namespace, workload].attempts)
        if (namespace, workload) in known
        else PeerRef(workload, namespace, sorted(met))
        for (namespace, workload), met in ports.items()
    ]
    most = len(peers) + MAX_SHOWN
    is_cut = len(named) > most
    return named[:most], Unnamed(unnamed.peers or is_cut, unnamed.ports or is_cut)


def _count_of(counts: EdgeCounts, outcome: str) -> int:
    if outcome == "broken":
        return counts.dropped + counts.failed
    if outcome == "unsuccessful":
        return counts.denied + counts.dropped + counts.failed
    return int(getattr(counts, outcome))
