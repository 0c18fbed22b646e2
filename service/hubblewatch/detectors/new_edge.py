"""``new-edge``: a subject contacts peers that it never contacted before.

Signal: first contacts inside the cluster (and with the cloud's metadata service). One alone is
info. Several peers within an hour are a warning when they are more than the subject's own rate of
new peers lets happen by chance, and weigh enough: a peer in another namespace weighs more than one
of its own, a database, the kube-apiserver or a kubelet more than a web service, another port of a
known peer and what a neighbour in the namespace talks to already less. A single first contact with
the kube-apiserver or a node's kubelet is a warning, and with the metadata service critical, for a
subject that was watched for an hour, rarely meets anyone new, and has no neighbour that does the
same.

A subject's first ten windows are taken as given, unless it had only served others for an hour or
more. Destinations outside the cluster are the work of
``external-egress``.

Known false positives: a new version with several new partners; monitoring and ingress when many
services are deployed at once; the first renewal of cloud credentials after the stream began.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.baseline.subjects import Subjects
from hubblewatch.block import Block
from hubblewatch.detectors.destinations import (
    APISERVER,
    is_control,
    is_metadata,
    is_outside,
    split_edge,
)
from hubblewatch.detectors.finding import (
    Finding,
    Reason,
    Severity,
    began,
    shown_evidence,
    with_earlier,
)
from hubblewatch.detectors.new_edge_meaning import advice_on, meaning_of
from hubblewatch.detectors.novelty import (
    AT_ONCE_WINDOWS,
    DAY,
    HOUR,
    RESTLESS_RATE,
    chance_of_more,
    discovered_through,
    given_through,
    is_known_well,
    note_told,
    rate_before,
    settled_through,
    watched_before,
)
from hubblewatch.detectors.wording import counted, listed, name_of, span_of
from hubblewatch.window.closed import INBOUND, ClosedWindow, EdgeKey, Subject
from hubblewatch.window.closing import Closing

_PEER = 1.0
_KNOWN_PEER = 0.5
_OTHER_NAMESPACE = 0.5
_SENSITIVE = 1.0
_KNOWN_TO_NEIGHBOUR = 0.5
"""Weights of a new edge: the first two are its base, the next two are added, the last multiplies.
What matters is their order; three databases or five ordinary peers come to ``weight``."""

_MAX_FRESH = 256
"""New edges of one window that are looked at; a scan makes thousands, and they say no more."""


class NewEdgeSettings(Block):
    """How many new peers are many, and which ones are sensitive."""

    enabled: bool = True
    peers: int = Field(3, ge=2, description="New peers within an hour, at least.")
    weight: float = Field(
        5.0, gt=0, description="Sum of their weights for warning: 1 to 2.5 each, see the runbook."
    )
    critical_weight: float = Field(15.0, gt=0, description="Sum of weights for critical.")
    chance: float = Field(
        1e-5,
        gt=0,
        lt=1,
        description="Probability of so many by the subject's own rate, at most. Some hundred "
        "subjects with each a new peer an hour make many chances.",
    )
    chance_at_once: float = Field(
        1e-3, gt=0, lt=1, description="The same for those within five windows."
    )
    growth: float = Field(
        0.2, ge=0, description="New peers as a share of those known before, at least."
    )
    sensitive_ports: tuple[int, ...] = Field(
        (
            *(1433, 1521, 3306, 5432, 5984, 8086, 9042, 9200, 27017),  # databases
            *(4222, 5672, 6379, 9092, 11211),  # queues and caches
            *(2379, 2380, 6443, 10250),  # etcd, kube-apiserver, kubelet
        ),
        description="Ports of databases, caches, queues, etcd, kube-apiserver and kubelet.",
    )


class _Arrival(Struct):
    """A peer met for the first time in window ``number``, or a new port of one known before."""

    number: int
    peer: str
    edge: EdgeKey
    weight: float


class _Case(Struct):
    severity: Severity
    arrivals: list[_Arrival]
    windows: int
    expected: float
    known: int


_CRITICAL_GROWTH = 0.5
"""New peers as a share of those known before, for critical: who watches a whole cluster meets as
many as weigh that much whenever a namespace is deployed."""


class NewEdge:
    """Finds subjects that meet new peers."""

    name = "new-edge"

    def __init__(self, settings: NewEdgeSettings) -> None:
        self._settings = settings
        self._sensitive = frozenset(settings.sensitive_ports)

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject that has a new edge in this closing."""
        for window in closing.windows:
            if not window.new_edges or window.subject.direction == INBOUND:
                continue
            past = memory.subject(window.subject)
            given = given_through(past)
            if given is not None:
                case = self._judge(window, past, given, closing.number, memory.subjects)
                if case is not None:
                    if case.severity is not Severity.INFO:
                        note_told(past, self.name, closing.number)
                    yield self._finding(window, past, case)

    def _judge(
        self,
        window: ClosedWindow,
        past: SubjectMemory,
        given: int,
        number: int,
        subjects: Subjects,
    ) -> _Case | None:
        fresh = [
            edge for edge in window.edges if str(edge) not in past.edges and not is_outside(edge)
        ]
        if not fresh:
            return None
        met = self._met(sorted(fresh)[:_MAX_FRESH], past, number)
        horizon = max(discovered_through(past), number - DAY)
        arrivals = self._arrivals(window.subject, met, horizon, subjects)
        settings = self._settings
        single = self._single(past, number, arrivals, met)
        settled = max(given, number - HOUR, settled_through(past, self.name, number))
        for count in range(settings.peers, len(arrivals) + 1):
            since = arrivals[count - 1].number
            if since <= settled:
                break
            if count < len(arrivals) and arrivals[count].number == since:
                continue  # they came in one window and are judged together
            known = len({edge.peer for first, edge in met if first < since})
            windows = number - since + 1
            at_once = windows <= AT_ONCE_WINDOWS
            chance = settings.chance_at_once if at_once else settings.chance
            before = len(arrivals) - count
            total = sum(arrival.weight for arrival in arrivals[:count])
            if (
                total >= settings.weight
                and count >= settings.growth * known
                and chance_of_more(count, windows, before, watched_before(past, since)) <= chance
            ):
                expected = rate_before(before, past, since) * windows
                is_critical = total >= settings.critical_weight and (
                    count >= _CRITICAL_GROWTH * known
                )
                # What is critical by itself is so in company.
                if single is not None and single.severity is Severity.CRITICAL:
                    is_critical = True
                severity = Severity.CRITICAL if is_critical else Severity.WARNING
                return _Case(severity, arrivals[:count], windows, expected, known)
        return single

    def _single(
        self,
        past: SubjectMemory,
        number: int,
        arrivals: list[_Arrival],
        met: list[tuple[int, EdgeKey]],
    ) -> _Case | None:
        """Judge what came in this window by itself."""
        now = [arrival for arrival in arrivals if arrival.number == number]
        rate = rate_before(len(arrivals) - len(now), past, number)
        if not now or rate > RESTLESS_RATE:
            return None
        severity = Severity.INFO
        unknown = [a.edge for a in now if a.weight >= _PEER + _SENSITIVE]
        if is_known_well(past):
            if any(is_metadata(edge) for edge in unknown):
                severity = Severity.CRITICAL
            elif any(is_control(edge) for edge in unknown):
                severity = Severity.WARNING
        known = len({edge.peer for first, edge in met if first < number})
        return _Case(severity, now, 1, rate, known)

    def _met(
        self, fresh: list[EdgeKey], past: SubjectMemory, number: int
    ) -> list[tuple[int, EdgeKey]]:
        """Give all edges inside with the window of their first contact, oldest first."""
        met = [(span.first, split_edge(text)) for text, span in past.edges.items()]
        met = [(first, edge) for first, edge in met if not is_outside(edge)]
        met += [(number, edge) for edge in fresh]
        return sorted(met)

    def _arrivals(
        self,
        subject: Subject,
        met: list[tuple[int, EdgeKey]],
        horizon: int,
        subjects: Subjects,
    ) -> list[_Arrival]:
        """Give the new peers after window ``horizon``, latest first."""
        seen: dict[str, int] = {}
        arrivals: dict[str, _Arrival] = {}
        for first, edge in met:
            peer = edge.peer
            is_known = seen.setdefault(peer, first) < first
            if first <= horizon:
                continue
            weight = self._weight(subject, edge, is_known, first, subjects)
            arrival = arrivals.get(peer)
            if arrival is None or (weight, first) > (arrival.weight, arrival.number):
                arrivals[peer] = _Arrival(first, peer, edge, weight)
        return sorted(arrivals.values(), key=lambda arrival: (-arrival.number, arrival.peer))

    def _weight(
        self,
        subject: Subject,
        edge: EdgeKey,
        is_known: bool,
        first: int,
        subjects: Subjects,
    ) -> float:
        weight = _KNOWN_PEER if is_known else _PEER
        if edge.namespace and edge.namespace != subject.namespace and not is_known:
            weight += _OTHER_NAMESPACE
        if edge.port in self._sensitive or edge.peer == APISERVER or is_metadata(edge):
            weight += _SENSITIVE
        if subjects.is_known_to_neighbour(subject, str(edge), first):
            weight *= _KNOWN_TO_NEIGHBOUR
        return weight

    def _finding(self, window: ClosedWindow, past: SubjectMemory, case: _Case) -> Finding:
        subject = window.subject
        edges = [arrival.edge for arrival in case.arrivals]
        new = {edge.peer for edge in edges}
        peers, evidence, unnamed = shown_evidence(window, "attempts", lambda edge: edge.peer in new)
        peers, unnamed = with_earlier(peers, unnamed, edges)
        names = [str(edge) for edge in edges]
        in_vain = [str(edge) for edge in edges if not _let_in(edge, window, past)]
        count = len(names)
        contacted = "tried to reach" if len(in_vain) == count else "contacted"
        without = f"Without success: {listed(in_vain)}. " if in_vain else ""
        total = sum(arrival.weight for arrival in case.arrivals)
        return Finding(
            detector=self.name,
            severity=case.severity,
            subject=subject,
            observed=float(count),
            expected=case.expected,
            unit="new peers",
            summary=(
                f"{name_of(subject)} {contacted} {counted(count, 'peer')} for the first time "
                f"within {span_of(window, case.windows)}; before it knew {case.known}"
            ),
            description=(
                f"New: {listed(names)}. {without}At the rate at which it met new peers so far, "
                f"{case.expected:.2f} were to be expected. {meaning_of(edges)}"
            ),
            recommendation=(
                "See whether the workload was deployed or reconfigured shortly before. If not, ask "
                "its owner whether it is meant to reach these peers, and look at what its pods run."
                f"{advice_on(edges)}"
            ),
            reasons=[
                Reason("new_peers", float(count), 0.0, case.expected, 0.6),
                Reason("weight_of_new_peers", total, 0.0, self._settings.weight, 0.4),
            ],
            score=total,
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, case.windows),
            ports=sorted({edge.port for edge in edges}),
            baseline=str(past.state),
        )


def _let_in(edge: EdgeKey, window: ClosedWindow, past: SubjectMemory) -> bool:
    """Tell whether any attempt along a new edge succeeded so far."""
    span = past.edges.get(str(edge))
    counts = window.edges.get(edge)
    return (span is not None and span.answered) or (counts is not None and counts.succeeded)
