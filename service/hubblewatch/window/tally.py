"""Connections that began in a window to the closed windows of their subjects."""

from __future__ import annotations

from collections import defaultdict

from hubblewatch.attempt import evidence as e
from hubblewatch.attempt.connection import ICMP, PROTOCOLS, SCTP, TCP, UDP, Connection
from hubblewatch.attempt.evidence import Direction, Outcome
from hubblewatch.attempt.intake import Intake
from hubblewatch.attempt.peer import Peer, PeerKind
from hubblewatch.window.closed import (
    INBOUND,
    MAX_DISTINCT,
    OUTBOUND,
    ClosedWindow,
    ContactKey,
    EdgeCounts,
    EdgeKey,
    Subject,
)

_NODES = frozenset({PeerKind.HOST, PeerKind.REMOTE_NODE})
DNS_PORT = 53


class Tally:
    """Builds the closed windows of one window number.

    ``proxied`` holds the responders reached through the L7 proxy in this window or shortly before.
    """

    def __init__(
        self, intake: Intake, size: int, settle: int, cluster: str, proxied: set[tuple[str, int]]
    ) -> None:
        self.start = intake.number * size
        self.end = self.start + size
        self.windows: dict[Subject, ClosedWindow] = {}
        self.totals: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        """Attempts by namespace, protocol and outcome, subjects or not."""
        self.subjectless = 0
        """Attempts between parties that are both no pods: nobody's."""
        self._known_at = self.end + settle
        self._cluster = cluster
        self._proxied = proxied
        self._services: set[tuple[str, int, int]] | None = None
        self._intake = intake
        self._subjects: dict[tuple[int, str], ClosedWindow] = {}
        mine = [c for c in intake.connections if self.start <= c.first < self.end]
        self._mine = mine
        for connection in mine:
            if not connection.weighted:
                self._count(connection, 1)
        self._count_weights()
        self._count_lookups()

    def _opener(self, connection: Connection) -> Direction:
        evidence = connection.evidence
        found = e.direction(evidence)
        if found is not Direction.UNCLEAR and e.is_certain(evidence):
            return found
        if connection.protocol == ICMP:
            return Direction.FORTH if found is Direction.UNCLEAR else found
        _, low, _, high = connection.key
        by_ports = e.direction_by_ports(low, high)
        if by_ports is not Direction.UNCLEAR and low != high:
            return by_ports
        services = self._known_services()
        low_serves = (connection.key[0], low, connection.protocol) in services
        high_serves = (connection.key[2], high, connection.protocol) in services
        if low_serves != high_serves:
            return Direction.BACK if low_serves else Direction.FORTH
        if found is not Direction.UNCLEAR:
            return found
        return Direction.BACK

    def _known_services(self) -> set[tuple[str, int, int]]:
        """Addresses and ports that answered in this window beyond doubt; built when needed."""
        if self._services is None:
            self._services = set()
            for connection in self._mine:
                if e.is_certain(connection.evidence):
                    low_address, low, high_address, high = connection.key
                    if e.direction(connection.evidence) is Direction.BACK:
                        self._services.add((low_address, low, connection.protocol))
                    else:
                        self._services.add((high_address, high, connection.protocol))
        return self._services

    def _count(self, connection: Connection, weight: int) -> None:
        opened = self._opener(connection)
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
        outcome = e.outcome(connection.evidence, opened)
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
            self.totals[window.subject.namespace, "icmp", outcome.name.lower()] += weight
            return
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
        self.totals[window.subject.namespace, PROTOCOLS[protocol], outcome.name.lower()] += weight
        if window.subject.direction == INBOUND:
            self._add_edge(window, opener, from_address, connection, port, outcome, weight)
            window.pods.add(responder.pod)
            address = from_address
        else:
            self._add_edge(window, responder, address, connection, port, outcome, weight)
            window.pods.add(opener.pod)
        self._add_contact(window, address, port, protocol, outcome, weight)

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
        return target in self._proxied

    def _window(self, peer: Peer, direction: str) -> ClosedWindow:
        key = (id(peer), direction)
        window = self._subjects.get(key)
        if window is None:
            subject = Subject(peer.namespace, peer.workload_at(self._known_at), direction)
            window = self.windows.get(subject)
            if window is None:
                window = self.windows[subject] = ClosedWindow(
                    subject, self.start, self.end, self._cluster
                )
            self._subjects[key] = window
        return window

    def _add_edge(
        self,
        window: ClosedWindow,
        peer: Peer,
        address: str,
        connection: Connection,
        port: int,
        outcome: Outcome,
        weight: int,
    ) -> None:
        if peer.kind is PeerKind.POD:
            workload = peer.workload_at(self._known_at)
            window.peer_namespaces.add(peer.namespace)
            window.peer_workloads.add((peer.namespace, workload))
        elif peer.kind is PeerKind.WORLD and window.subject.direction == OUTBOUND:
            workload = connection.name or address
            if len(window.external) < MAX_DISTINCT:
                window.external.add(workload)
            else:
                window.capped = True
        else:
            workload = peer.workload
        key = EdgeKey(peer.namespace, workload, port, PROTOCOLS[connection.protocol])
        edge = window.edges.get(key)
        if edge is None:
            if len(window.edges) >= MAX_DISTINCT:
                window.capped = True
                return
            edge = window.edges[key] = EdgeCounts()
        edge.attempts += weight
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

    def _add_contact(
        self,
        window: ClosedWindow,
        address: str,
        port: int,
        protocol: int,
        outcome: Outcome,
        weight: int,
    ) -> None:
        key = ContactKey(address, port, PROTOCOLS[protocol])
        contact = window.contacts.get(key)
        if contact is None:
            if len(window.contacts) >= MAX_DISTINCT:
                window.capped = True
                return
            contact = window.contacts[key] = [0, 0]
            window.peer_ports.add(port)
        contact[0] += weight
        if outcome is not Outcome.ALLOWED and outcome is not Outcome.AUDITED:
            contact[1] += weight

    def _count_weights(self) -> None:
        """Aggregated lines: what each node says sums up, of several nodes the highest counts."""
        weights: dict[int, defaultdict[str, int]] = {}
        connections: dict[int, Connection] = {}
        for (_, _, node, _), (connection, weight) in self._intake.weights.items():
            connections[id(connection)] = connection
            weights.setdefault(id(connection), defaultdict(int))[node] += weight
        for name, by_node in weights.items():
            self._count(connections[name], max(by_node.values()))

    def _count_lookups(self) -> None:
        for lookup in self._intake.lookups.values():
            opened = self._opener(lookup.connection)
            back = opened is Direction.BACK
            peer = lookup.connection.high if back else lookup.connection.low
            if peer.kind is not PeerKind.POD:
                continue
            window = self._window(peer, OUTBOUND)
            if lookup.is_answer:
                window.dns_failures += lookup.rcode != 0
                continue
            window.dns_queries += 1
            if len(window.dns_names) < MAX_DISTINCT:
                window.dns_names.add(lookup.name)
            else:
                window.capped = True
