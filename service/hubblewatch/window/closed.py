"""A closed window of one subject: exact counts and distinct sets of its attempts."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.flow.timestamp import format_seconds

MAX_DISTINCT = 20_000
"""Bound on each distinct set of one window; a window that meets it says so (``capped``)."""

MAX_BEGINS = 12
"""Attempts along one external edge whose begins a window keeps; more are no rare contact."""

MAX_RECORDED_EDGES = 512
"""Edges written into a record, busiest first; the counts are always whole. As many as a subject's
memory holds, so that a record tells a baseline what the window told it."""

RECORD_FORMAT = 1
"""Version of WindowRecord, in its ``format``: raised when a field changes its meaning."""

OUTBOUND, INBOUND = "outbound", "inbound"


class Subject(NamedTuple):
    """Whose attempts a window counts."""

    namespace: str
    workload: str
    direction: str


class EdgeKey(NamedTuple):
    """Whom a subject talked to: a workload; outside the cluster a name or an address; or a party.

    For an inbound subject the peer is who opened the connection, ``world`` being one party.
    """

    namespace: str
    workload: str
    port: int
    protocol: str

    @property
    def peer(self) -> str:
        """The peer as one text: ``namespace/workload``, or the name or address."""
        return f"{self.namespace}/{self.workload}" if self.namespace else self.workload

    def __str__(self) -> str:
        return f"{self.peer}:{self.port}/{self.protocol}"


class EdgeCounts(Struct, gc=False):
    """Attempts along one edge, by outcome, with one flow that shows the worst of them.

    ``begins`` are the epoch seconds at which attempts on an external destination began, in no
    order and whole only up to ``MAX_BEGINS`` attempts. None for other edges.
    """

    attempts: int = 0
    denied: int = 0
    audited: int = 0
    dropped: int = 0
    failed: int = 0
    uuid: str = ""
    begins: list[int] | None = None

    @property
    def succeeded(self) -> bool:
        """Whether any attempt was let in and answered."""
        return self.attempts > self.denied + self.dropped + self.failed


class ContactKey(NamedTuple):
    """An address and port that a subject tried; inbound: who tried which port of the subject."""

    address: str
    port: int
    protocol: str


class EdgeRecord(Struct, frozen=True):
    """An edge as written out."""

    namespace: str
    workload: str
    port: int
    protocol: str
    attempts: int
    denied: int = 0
    audited: int = 0
    dropped: int = 0
    failed: int = 0
    external: bool = False


class WindowRecord(Struct, frozen=True):
    """The closed window as JSON, for ``hubble.windows`` and ``--windows``.

    ``edge_count`` counts all edges, ``edges`` holds the busiest. The last five fields say what the
    window's closing meant for the subject's baseline: whether it was seen well enough to teach
    (``complete``), how many nodes were silent, whether a detector suspected the subject, and
    whether an incident that pages was open. ``format`` 0 is from before there was a version.
    """

    start: str
    end: str
    cluster: str
    namespace: str
    workload: str
    direction: str
    attempts: int
    allowed: int
    denied: int
    audited: int
    dropped: int
    failed: int
    tcp: int
    udp: int
    sctp: int
    icmp: int
    udp_dns: int
    icmp_denied: int
    unreachable: int
    peer_namespaces: list[str]
    peer_workloads: int
    peer_addresses: int
    peer_ports: int
    external_destinations: int
    new_edges: int
    dns_queries: int
    dns_failures: int
    dns_names: int
    completeness: float
    capped: bool
    pods: int
    edges: list[EdgeRecord] = field(default_factory=list)
    edge_count: int = 0
    format: int = 0
    complete: bool = False
    silent_nodes: int = 0
    suspicious: bool = False
    alerted: bool = False


class ClosedWindow:
    """What one subject attempted in ``[start, end)``, epoch seconds.

    ``outcomes`` is indexed by Outcome and sums to ``attempts``, as do ``tcp + udp + sctp``; ICMP is
    apart. ``udp_dns`` are the UDP attempts on port 53. ``contacts`` maps an address and port to
    [attempts, unsuccessful ones], ``refused`` those that had unsuccessful ones to their edge.
    ``dns_names`` are the names asked for as they were sent, ``dns_answered`` those answered without
    an error, plain. ``new_edges`` is filled in by the subject's memory, ``is_complete`` to
    ``is_alerted`` when the detectors have looked; see WindowRecord.
    """

    __slots__ = (
        "attempts",
        "capped",
        "cluster",
        "completeness",
        "contacts",
        "dns_answered",
        "dns_failures",
        "dns_names",
        "dns_queries",
        "edges",
        "end",
        "external",
        "icmp",
        "icmp_denied",
        "is_alerted",
        "is_complete",
        "is_suspicious",
        "new_edges",
        "outcomes",
        "peer_namespaces",
        "peer_ports",
        "peer_workloads",
        "pods",
        "policies",
        "refused",
        "sctp",
        "silent_nodes",
        "start",
        "subject",
        "tcp",
        "udp",
        "udp_dns",
        "unreachable",
    )

    def __init__(self, subject: Subject, start: int, end: int, cluster: str) -> None:
        self.subject = subject
        self.start = start
        self.end = end
        self.cluster = cluster
        self.attempts = 0
        self.outcomes = [0] * len(Outcome)
        self.tcp = self.udp = self.sctp = self.icmp = 0
        self.udp_dns = self.icmp_denied = self.unreachable = 0
        self.peer_namespaces: set[str] = set()
        self.peer_workloads: set[tuple[str, str]] = set()
        self.peer_ports: set[int] = set()
        self.external: set[str] = set()
        self.contacts: dict[ContactKey, list[int]] = {}
        self.refused: dict[ContactKey, EdgeKey] = {}
        self.edges: dict[EdgeKey, EdgeCounts] = {}
        self.policies: dict[str, None] = {}
        self.pods: set[str] = set()
        self.dns_queries = self.dns_failures = 0
        self.dns_names: set[str] = set()
        self.dns_answered: set[str] = set()
        self.new_edges = 0
        self.completeness = 1.0
        self.capped = False
        self.is_complete = False
        self.silent_nodes = 0
        self.is_suspicious = False
        self.is_alerted = False

    @property
    def allowed(self) -> int:
        """Attempts that nothing hindered."""
        return self.outcomes[Outcome.ALLOWED]

    @property
    def denied(self) -> int:
        """Attempts that a network policy denied; ICMP not among them."""
        return self.outcomes[Outcome.DENIED]

    @property
    def audited(self) -> int:
        """Attempts that went through and that a policy in audit mode would have denied."""
        return self.outcomes[Outcome.AUDITED]

    @property
    def dropped(self) -> int:
        """Attempts dropped for a reason other than policy."""
        return self.outcomes[Outcome.DROPPED]

    @property
    def failed(self) -> int:
        """Attempts that were reset, or that nothing answered."""
        return self.outcomes[Outcome.FAILED]

    @property
    def peer_addresses(self) -> int:
        """Distinct addresses tried."""
        return len({contact.address for contact in self.contacts})

    def record(self) -> WindowRecord:
        """Give the window in its written form."""
        busiest = sorted(self.edges.items(), key=lambda edge: (-edge[1].attempts, edge[0]))
        return WindowRecord(
            start=format_seconds(self.start),
            end=format_seconds(self.end),
            cluster=self.cluster,
            namespace=self.subject.namespace,
            workload=self.subject.workload,
            direction=self.subject.direction,
            attempts=self.attempts,
            allowed=self.allowed,
            denied=self.denied,
            audited=self.audited,
            dropped=self.dropped,
            failed=self.failed,
            tcp=self.tcp,
            udp=self.udp,
            sctp=self.sctp,
            icmp=self.icmp,
            udp_dns=self.udp_dns,
            icmp_denied=self.icmp_denied,
            unreachable=self.unreachable,
            peer_namespaces=sorted(self.peer_namespaces),
            peer_workloads=len(self.peer_workloads),
            peer_addresses=self.peer_addresses,
            peer_ports=len(self.peer_ports),
            external_destinations=len(self.external),
            new_edges=self.new_edges,
            dns_queries=self.dns_queries,
            dns_failures=self.dns_failures,
            dns_names=len(self.dns_names),
            completeness=round(self.completeness, 4),
            capped=self.capped,
            pods=len(self.pods),
            edges=[
                EdgeRecord(
                    *key,
                    edge.attempts,
                    edge.denied,
                    edge.audited,
                    edge.dropped,
                    edge.failed,
                    not key.namespace and key.workload in self.external,
                )
                for key, edge in busiest[:MAX_RECORDED_EDGES]
            ],
            edge_count=len(self.edges),
            format=RECORD_FORMAT,
            complete=self.is_complete,
            silent_nodes=self.silent_nodes,
            suspicious=self.is_suspicious,
            alerted=self.is_alerted,
        )
