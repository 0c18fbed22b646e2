"""Connections that began in a window to the closed windows of their subjects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from hubblewatch.attempt import evidence as e
from hubblewatch.attempt.connection import ICMP, PROTOCOLS, SCTP, TCP, UDP, Connection
from hubblewatch.attempt.evidence import Direction, Outcome
from hubblewatch.attempt.intake import AnswerKey, Intake
from hubblewatch.attempt.opener import Openers
from hubblewatch.attempt.peer import Peer, PeerKind
from hubblewatch.flow.domain import is_on_search_list, plain_name
from hubblewatch.window.closed import (
    INBOUND,
    MAX_BEGINS,
    MAX_DISTINCT,
    OUTBOUND,
    ClosedWindow,
    ContactKey,
    EdgeCounts,
    EdgeKey,
    Subject,
)
from hubblewatch.window.weights import weighted_attempts

_NODES = frozenset({PeerKind.HOST, PeerKind.REMOTE_NODE})
_NAMES = tuple(outcome.name.lower() for outcome in Outcome)
DNS_PORT = 53


class _Route(Struct, gc=False):
    """Where attempts of one subject with one peer, address and port are counted.

    ``edge`` and ``contact`` are None beyond the window's bounds, which the window then says.
    """

    edge_key: EdgeKey
    edge: EdgeCounts | None
    contact_key: ContactKey
    contact: list[int] | None


class Surroundings(Struct, frozen=True):
    """What must be known of the stream around a window.

    ``proxied`` holds the responders reached through the L7 proxy in this window or shortly before.
    ``hears_answers`` tells whether the stream holds replies, without which silence proves nothing,
    and ``is_begin`` whether the stream began just now: whatever is first seen then in the midst of
    a connection may be all there is of it.
    """

    size: int
    settle: int
    cluster: str
    proxied: set[tuple[str, int]]
    hears_answers: bool
    is_begin: bool


class Tally:
    """Builds the closed windows of one window number."""

    def __init__(self, intake: Intake, around: Surroundings) -> None:
        self.start = intake.number * around.size
        self.end = self.start + around.size
        self.windows: dict[Subject, ClosedWindow] = {}
        self.totals: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        """Attempts by namespace, protocol and outcome, subjects or not."""
        self.subjectless = 0
        """Attempts between parties that are both no pods: nobody's."""
        self._known_at = self.end + around.settle
        self._around = around
        self._intake = intake
        self._subjects: dict[tuple[Peer, str], ClosedWindow] = {}
        self._routes: dict[tuple[object, ...], _Route] = {}
        """At most one for each connection of the window, whose number is bounded; gone with it."""
        self._judged: dict[int, Outcome] = {}
        mine = [c for c in intake.connections if self.start <= c.first < self.end]
        if intake.translated:
            _join_translated(mine, intake.translated)
        self._openers = Openers(mine)
        for connection in mine:
            if connection.weighted or (
                not around.is_begin
                and connection.protocol == TCP
                and e.is_under_way(connection.evidence)
            ):
                continue
            self._count(connection)
        for connection, outcome, weight in weighted_attempts(intake, self._openers):
            self._count(connection, outcome, weight)
        self._count_lookups()

    def _count(
        self, connection: Connection, outcome: Outcome | None = None, weight: int = 1
    ) -> None:
        opened = self._openers.direction(connection)
        low_address, low_port, high_address, high_port = connection.key
        if opened is Direction.BACK:
            opener, responder = connection.high, connection.low
            from_address, address, port = high_address, low_address, low_port
        else:
            opener, responder = connection.low, connection.high
            from_address, address, port = low_address, high_address, high_port
        if opener.kind is PeerKind.HEALTH or responder.kind is PeerKind.HEALTH:
            return
        protocol = connection.protocol
        if outcome is None:
            outcome = self._outcome(connection, opened)
        if opener.kind is PeerKind.POD:
            window = self._window(opener, OUTBOUND)
        elif responder.kind is PeerKind.POD:
            if outcome is not Outcome.DENIED and self._is_no_client(
                opener, connection, opened, (address, port)
            ):
                return
            window = self._window(responder, INBOUND)
        else:
            self.subjectless += weight
            return
        if protocol == ICMP:
            both = connection.evidence | connection.evidence >> e.BACK
            if both & e.RESET:
                window.unreachable += weight
            else:
                window.icmp += weight
                if outcome is Outcome.DENIED:
                    window.icmp_denied += weight
            self.totals[window.subject.namespace, "icmp", _NAMES[outcome]] += weight
            return
        inbound = window.subject.direction == INBOUND
        if inbound:
            peer, address, pod = opener, from_address, responder.pod
        else:
            peer, pod = responder, opener.pod
        # Most attempts repeat one of few routes: its places are looked up once a window.
        place = (window, peer, pod, address, port, protocol, connection.name)
        route = self._routes.get(place)
        if route is None:
            route = self._routes[place] = self._route(window, peer, address, connection, port)
            window.pods.add(pod)
        window.attempts += weight
        window.outcomes[outcome] += weight
        if protocol == TCP:
            window.tcp += weight
        elif protocol == UDP:
            window.udp += weight
            if port == DNS_PORT:
                window.udp_dns += weight
        elif protocol == SCTP:
            window.sctp += weight
        self.totals[window.subject.namespace, PROTOCOLS[protocol], _NAMES[outcome]] += weight
        if route.edge is not None:
            self._add_to_edge(window, route.edge, connection, outcome, weight)
        if route.contact is not None:
            route.contact[0] += weight
            if outcome is not Outcome.ALLOWED and outcome is not Outcome.AUDITED:
                route.contact[1] += weight
                window.refused[route.contact_key] = route.edge_key

    def _outcome(self, connection: Connection, opened: Direction) -> Outcome:
        """Judge how an attempt went; silence is a failure only where answers can be heard.

        A recording may hold requests alone (a filter, one direction). That answers are recorded
        shows in any reply of this window, or in the SYN that was sent again.
        """
        judged = connection.evidence << 1 | (opened is Direction.BACK)
        outcome = self._judged.get(judged)
        if outcome is None:
            outcome = self._judged[judged] = e.outcome(connection.evidence, opened)
        if (
            not self._around.hears_answers
            and outcome is Outcome.FAILED
            and connection.last == connection.first
            and e.is_silence(connection.evidence, opened)
        ):
            return Outcome.ALLOWED
        return outcome

    def _is_no_client(
        self, opener: Peer, connection: Connection, opened: Direction, target: tuple[str, int]
    ) -> bool:
        """Tell the kubelet's probes and the proxy's own leg from a client of its own."""
        if opener.kind is PeerKind.MARKED:
            return True
        if opener.kind not in _NODES:
            return False
        evidence = connection.evidence
        asked = evidence >> e.BACK if opened is Direction.BACK else evidence
        if opener.kind is PeerKind.HOST and not asked & e.LEFT:
            return True
        return target in self._around.proxied

    def _window(self, peer: Peer, direction: str) -> ClosedWindow:
        key = (peer, direction)
        window = self._subjects.get(key)
        if window is None:
            subject = Subject(peer.namespace, peer.workload_at(self._known_at), direction)
            window = self.windows.get(subject)
            if window is None:
                window = self.windows[subject] = ClosedWindow(
                    subject, self.start, self.end, self._around.cluster
                )
            self._subjects[key] = window
        return window

    def _route(
        self, window: ClosedWindow, peer: Peer, address: str, connection: Connection, port: int
    ) -> _Route:
        """Give the places in a window that count attempts with one peer, address and port."""
        is_external = peer.kind is PeerKind.WORLD and window.subject.direction == OUTBOUND
        if peer.kind is PeerKind.POD:
            workload = peer.workload_at(self._known_at)
            window.peer_namespaces.add(peer.namespace)
            window.peer_workloads.add((peer.namespace, workload))
        elif is_external:
            workload = connection.name or address
            if len(window.external) < MAX_DISTINCT:
                window.external.add(workload)
            else:
                window.capped = True
        else:
            workload = peer.workload
            if peer.namespace:
                window.peer_namespaces.add(peer.namespace)
        protocol = PROTOCOLS[connection.protocol]
        edge_key = EdgeKey(peer.namespace, workload, port, protocol)
        edge = window.edges.get(edge_key)
        if edge is None and len(window.edges) < MAX_DISTINCT:
            edge = window.edges[edge_key] = EdgeCounts()
            if is_external:
                edge.begins = []
        contact_key = ContactKey(address, port, protocol)
        contact = window.contacts.get(contact_key)
        if contact is None and len(window.contacts) < MAX_DISTINCT:
            contact = window.contacts[contact_key] = [0, 0]
            window.peer_ports.add(port)
        window.capped = window.capped or edge is None or contact is None
        return _Route(edge_key, edge, contact_key, contact)

    def _add_to_edge(
        self,
        window: ClosedWindow,
        edge: EdgeCounts,
        connection: Connection,
        outcome: Outcome,
        weight: int,
    ) -> None:
        edge.attempts += weight
        if edge.begins is not None and len(edge.begins) < MAX_BEGINS:
            edge.begins.append(connection.first)
        if outcome is Outcome.ALLOWED:
            edge.uuid = edge.uuid or connection.uuid
            return
        if outcome is Outcome.DENIED:
            edge.denied += weight
            for policy in connection.policies or ():
                if len(window.policies) < MAX_DISTINCT:
                    scope = f"{policy.namespace}/" if policy.namespace else ""
                    window.policies[f"{scope}{policy.name}"] = None
        elif outcome is Outcome.AUDITED:
            edge.audited += weight
        elif outcome is Outcome.DROPPED:
            edge.dropped += weight
        else:
            edge.failed += weight
        edge.uuid = connection.uuid or edge.uuid

    def _count_lookups(self) -> None:
        failed: list[tuple[ClosedWindow, str]] = []
        for lookup in self._intake.lookups.values():
            opened = self._openers.direction(lookup.connection)
            back = opened is Direction.BACK
            peer = lookup.connection.high if back else lookup.connection.low
            if peer.kind is not PeerKind.POD:
                continue
            window = self._window(peer, OUTBOUND)
            if lookup.is_answer:
                if lookup.rcode:
                    failed.append((window, plain_name(lookup.name)))
                elif len(window.dns_answered) < MAX_DISTINCT:
                    window.dns_answered.add(plain_name(lookup.name))
                else:
                    window.capped = True
                continue
            window.dns_queries += 1
            if len(window.dns_names) < MAX_DISTINCT:
                # Resolvers that mix upper and lower case at random ask for one name all the same.
                window.dns_names.add(plain_name(lookup.name))
            else:
                window.capped = True
        for window, name in failed:
            if not is_on_search_list(name, window.dns_answered):
                window.dns_failures += 1


def _join_translated(connections: list[Connection], answers: Mapping[AnswerKey, int]) -> None:
    """Join the answers that came under a service's port to the connections that they answer."""
    for connection in connections:
        low_address, low, high_address, high = connection.key
        protocol = connection.protocol
        forth = answers.get((protocol, low_address, high_address, high), 0)
        back = answers.get((protocol, high_address, low_address, low), 0)
        connection.evidence |= forth | back << e.BACK
