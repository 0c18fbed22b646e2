"""Flow events to connections: the one loop that every flow passes through.

It runs once per event, some hundred thousand times a second, so it is written out flat: local
names, no calls for the common case (a trace event of a known connection that tells nothing new).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from sys import intern

from msgspec import Struct

from hubblewatch.attempt import evidence as e
from hubblewatch.attempt.connection import ICMP, NEVER, SCTP, TCP, UDP, Connection, Key
from hubblewatch.attempt.event import (
    ANSWER_TYPES,
    EVENT,
    TRACE,
    icmp_bits,
    other_bits,
    verdict_name,
)
from hubblewatch.attempt.intake import (
    CONNECTION_TABLE,
    LOOKUPS,
    AnswerKey,
    Counts,
    Intake,
    Lookup,
)
from hubblewatch.attempt.peer import Peer, PeerKind, Peers
from hubblewatch.flow.schema import Flow, Line
from hubblewatch.flow.timestamp import SecondsCache, TimestampError, parse_seconds

MAX_WEIGHT = 1_000_000_000
"""Flows that one line may stand for; beyond, the number is a broken one."""

MAX_LOOKUPS = 200_000
"""DNS messages kept apart in one window; beyond, they are counted as dropped."""


class AssemblySettings(Struct, frozen=True):
    """Times in whole seconds; see WindowSettings for the meaning."""

    size: int = 60
    settle: int = 3
    idle: int = 120
    max_connections: int = 1_000_000

    @property
    def share(self) -> int:
        """Places that one window may take.

        A connection is held from the window that it began in until one without it has passed
        ``idle``: with the one that is open by then, so many windows share the table. Each has its
        part, so that a flood in one leaves room to those that follow.
        """
        return max(1, self.max_connections // (-(-self.idle // self.size) + 3))


class Assembly:
    """The table of connections, and the open windows that they began in.

    ``take`` stops at every line that is not a flow and at every flow at or past ``wake``: there the
    owner looks at the clock, closes windows, and goes on with the same iterator.

    Whatever distinct traffic makes more of takes a place: a connection, an answer of a service, an
    aggregated line. Where its window or the table has none left, a flow begins nothing; it is
    counted, and its window says what it missed. What is known goes on as ever.
    """

    def __init__(
        self, settings: AssemblySettings, on_bad_time: Callable[[Line, TimestampError], None]
    ) -> None:
        self.size = settings.size
        self.settle = settings.settle
        self.idle = settings.idle
        self.max_connections = settings.max_connections
        self.share = settings.share
        self.peers = Peers()
        self.counts = Counts()
        self.windows: dict[int, Intake] = {}
        self.closed_through = NEVER
        """Number of the last closed window: flows of it and before are late."""
        self.wake = NEVER
        self.latest = NEVER
        """Event time of the last flow of a batch, the highest so far: for display only."""
        self._on_bad_time = on_bad_time
        self._tables: tuple[dict[Key, Connection], ...] = ({}, {}, {}, {})
        self._aging: dict[int, list[Connection]] = {}
        self._seconds = SecondsCache()
        self._room = settings.max_connections
        """Places left in the whole table."""

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def connections(self) -> Iterator[Connection]:
        """Give all connections that are remembered."""
        for table in self._tables:
            yield from table.values()

    def second_of(self, line: Line) -> int:
        """Give the event time of a line in epoch seconds; raise TimestampError."""
        stamp = (line.flow.time if line.flow is not None else "") or line.time
        if stamp[-1:] != "Z":
            return parse_seconds(stamp)
        return self._seconds[stamp[:19]]

    def take(self, lines: Iterator[Line]) -> Line | None:
        """Count flows until a line that the owner must look at, which is given back uncounted.

        None when the iterator is exhausted.
        """
        seconds = self._seconds
        wake = self.wake
        size = self.size
        idle = self.idle
        verdicts = self.counts.verdicts
        tcp_table, udp_table, sctp_table, icmp_table = self._tables
        nodes: dict[str, int] = {}
        proxied: set[tuple[str, int]] = set()
        window_start = window_end = 0
        second = NEVER
        tcp_flows = udp_flows = flows = forwarded = 0
        telling = _TELLING
        talk, back = EVENT | e.TALK, e.BACK
        reply, request, proxy = e.REPLY, e.REQUEST, e.PROXIED
        points = _POINTS
        checked = NEVER
        lowest = beyond = ""
        answered = False
        intake: Intake | None = None
        given: Line | None = None
        for line in lines:
            flow = line.flow
            if flow is None:
                given = line
                break
            stamp = flow.time or line.time
            if lowest <= stamp < beyond and stamp[-1] == "Z":
                # Most flows share their second with the one before.
                second = checked
            else:
                try:
                    second = seconds[stamp[:19]] if stamp[-1:] == "Z" else parse_seconds(stamp)
                except TimestampError as error:
                    self._on_bad_time(line, error)
                    continue
                if second >= wake:
                    given = line
                    break
                if not window_start <= second < window_end:
                    number = second // size
                    if number <= self.closed_through:
                        self.counts.late += 1
                        continue
                    if answered and intake is not None:
                        intake.answers = True
                        answered = False
                    intake = self.window(number)
                    nodes = intake.nodes
                    proxied = intake.proxied
                    window_start = number * size
                    window_end = window_start + size
                checked = second
                if stamp[-1] == "Z":
                    # To compare texts costs half of what to cut and look up one does. What begins
                    # with the same 19 characters and goes on with a dot lies between these two.
                    lowest = stamp[:19]
                    beyond = f"{lowest}/"
                else:
                    # What was checked last is not the second of those texts any more.
                    beyond = ""
            flows += 1
            nodes[flow.node_name or line.node_name] += 1
            is_reply = flow.is_reply
            if is_reply:
                answered = True
            verdict = flow.verdict
            addresses = flow.IP
            layer4 = flow.l4
            if addresses is None or layer4 is None:
                verdicts[verdict_name(verdict)] += 1
                self.counts.uncounted["no-address"] += 1
                continue
            event_type = flow.event_type
            kind = event_type.type if event_type is not None else 0
            source = addresses.source
            destination = addresses.destination
            bits = EVENT
            if (segment := layer4.TCP) is not None:
                tcp_flows += 1
                table = tcp_table
                protocol = TCP
                source_port = segment.source_port
                destination_port = segment.destination_port
                flags = segment.flags
                if flags is None:
                    pass
                elif flags.SYN:
                    if flags.ACK:
                        bits = EVENT | e.SYN_ACK
                    else:
                        bits = EVENT | e.SYN | e.TRACED_SYN if kind == TRACE else EVENT | e.SYN
                elif flags.RST:
                    bits = EVENT | e.RESET
                else:
                    bits = talk
            elif (datagram := layer4.UDP) is not None:
                udp_flows += 1
                table = udp_table
                protocol = UDP
                source_port = datagram.source_port
                destination_port = datagram.destination_port
                bits = talk
            elif (datagram := layer4.SCTP) is not None:
                self.counts.protocols["sctp"] += 1
                table = sctp_table
                protocol = SCTP
                source_port = datagram.source_port
                destination_port = datagram.destination_port
                bits = talk
            elif (message := layer4.ICMPv4 or layer4.ICMPv6) is not None:
                self.counts.protocols["icmp"] += 1
                table = icmp_table
                protocol = ICMP
                version = 4 if layer4.ICMPv4 is not None else 6
                bits, source_port, destination_port = icmp_bits(message, version)
            else:
                verdicts[verdict_name(verdict)] += 1
                self.counts.uncounted["other-protocol"] += 1
                continue
            if kind == TRACE and verdict == "FORWARDED":
                forwarded += 1
                if is_reply:
                    bits |= reply
                elif is_reply is False:
                    bits |= request
                elif flow.reply:
                    bits |= reply
                    answered = True
                if seen := points.get(flow.trace_observation_point):
                    bits |= seen
                    if seen == proxy:
                        proxied.add((destination, destination_port))
            else:
                verdicts[verdict_name(verdict)] += 1
                more = other_bits(flow, kind)
                if more < 0:
                    self.counts.uncounted["socket"] += 1
                    continue
                bits |= more
                if more & e.PROXIED:
                    proxied.add((destination, destination_port))
            if addresses.source_xlated and bits & reply and protocol != ICMP:
                self._answer((protocol, source, destination, destination_port), bits, second)
                continue
            if source_port < destination_port or (
                source_port == destination_port and source < destination
            ):
                key = (source, source_port, destination, destination_port)
                forth = True
            else:
                key = (destination, destination_port, source, source_port)
                forth = False
                bits <<= back
            connection = table.get(key)
            if connection is None:
                connection = self._begin(table, key, protocol, second, flow, forth)
                if connection is None:
                    continue
            elif second > connection.last:
                if second - connection.last > idle:
                    # The same five-tuple after a long silence is a new attempt.
                    silent_since = connection.last
                    connection = self._begin(table, key, protocol, second, flow, forth)
                    if connection is None:
                        continue
                    connection.previous = silent_since
                else:
                    connection.last = second
            elif second < connection.first:
                self._begin_earlier(connection, second)
            if new := bits & ~connection.settled:
                if new & telling:
                    self._learn(connection, bits, second, flow, forth)
                elif second < connection.deadline:
                    if connection.early_until:
                        self._join(connection, bits, second)
                    else:
                        connection.evidence |= bits
                        connection.settled |= bits
            if flow.destination_names and second < connection.deadline:
                # Of each event: an answer has none, and may be the first that is seen.
                name = min(flow.destination_names)
                if not connection.name or name < connection.name:
                    connection.name = name
            if flow.l7 is not None and flow.l7.dns is not None:
                self._look_up(connection, second, flow)
            if flow.aggregate is not None:
                self._weigh(connection, bits, kind, second, flow, line.node_name)
        if answered and intake is not None:
            intake.answers = True
        if flows:
            # Not the second of a line that is given back: nobody has judged yet whether it is true.
            self.latest = max(self.latest, checked)
        self.counts.flows += flows
        if forwarded:
            verdicts["FORWARDED"] += forwarded
        self.counts.protocols["tcp"] += tcp_flows
        self.counts.protocols["udp"] += udp_flows
        return given

    def window(self, number: int) -> Intake:
        """Give the open window of that number, opening it if need be."""
        intake = self.windows.get(number)
        if intake is None:
            deadline = (number + 1) * self.size + self.settle
            intake = self.windows[number] = Intake(number, deadline, self.share)
        return intake

    def note_proxied(self, number: int, responder: tuple[str, int]) -> None:
        """The exporter has seen the L7 proxy asked for a responder of this partition."""
        intake = self.window(number)
        if responder not in intake.proxied:
            if len(intake.proxied) >= self.share:
                self._refuse(intake)
                return
            intake.proxied.add(responder)

    def forget(self, number: int) -> None:
        """Drop the closed window ``number``, and connections idle for too long at its end."""
        intake = self.windows.pop(number, None)
        if intake is not None:
            self._aging.setdefault(number, []).extend(intake.connections)
            shared: dict[int, int] = {}
            for connection in intake.connections:
                if connection.first // self.size == number:
                    # Counted: from now on it is only remembered, and no event tells it anything.
                    connection.uuid = ""
                    connection.policies = None
                    connection.settled = _EVERYTHING
                    # One object for each value, of which there are few.
                    evidence = connection.evidence
                    connection.evidence = shared.setdefault(evidence, evidence)
        end = (number + 1) * self.size
        oldest_kept = end - self.idle - self.size
        for aged in sorted(n for n in self._aging if (n + 1) * self.size <= oldest_kept):
            for connection in self._aging.pop(aged):
                alive = connection.last // self.size
                table = self._tables[connection.protocol]
                if alive > aged:
                    self._aging.setdefault(alive, []).append(connection)
                elif table.get(connection.key) is connection:
                    del table[connection.key]
        self._room = self.max_connections - sum(map(len, self._aging.values()))
        self._room -= sum(intake.places for intake in self.windows.values())

    def _take_place(self, intake: Intake) -> bool:
        if intake.room <= 0 or self._room <= 0:
            return False
        intake.room -= 1
        self._room -= 1
        return True

    def _refuse(self, intake: Intake) -> None:
        intake.refused += 1
        self.counts.uncounted[CONNECTION_TABLE] += 1

    def _refuse_flow(self, intake: Intake, *ends: tuple[str, int]) -> None:
        """Leave out a flow between two ends; the loop may have noted one of them as proxied."""
        self._refuse(intake)
        if len(intake.proxied) > self.share:
            intake.proxied.difference_update(ends)

    def _begin(
        self,
        table: dict[Key, Connection],
        key: Key,
        protocol: int,
        second: int,
        flow: Flow,
        forth: bool,
    ) -> Connection | None:
        number = second // self.size
        intake = self.window(number)
        if intake.room <= 0 or self._room <= 0:
            self._refuse_flow(intake, key[:2], key[2:])
            return None
        # Written out here, as the one place that every new connection passes.
        intake.room -= 1
        self._room -= 1
        low, high = key[1], key[3]
        if 0 <= low <= high < len(_PORTS):
            # One object for each port and address: the table holds hundreds of thousands.
            low, high = _PORTS[low], _PORTS[high]
        key = (intern(key[0]), low, intern(key[2]), high)
        source = self.peers.at(flow.source, flow.source_service)
        destination = self.peers.at(flow.destination, flow.destination_service)
        connection = Connection(
            key,
            protocol,
            second,
            second,
            intake.deadline,
            source if forth else destination,
            destination if forth else source,
            uuid=flow.uuid,
        )
        connection.early_until = self._early_until(second, number)
        table[key] = connection
        intake.connections.append(connection)
        return connection

    def _answer(self, key: AnswerKey, bits: int, second: int) -> None:
        """An answer of a service, as its client gets it: the port is the service's, not the
        responder's, so nobody can tell here which connection it belongs to.

        One from shortly after a window's end still counts for that window, as all evidence does.
        """
        number = second // self.size
        intakes = [self.window(number)]
        if self._early_until(second, number) and number - 1 in self.windows:
            intakes.append(self.windows[number - 1])
        for intake in intakes:
            known = intake.translated.get(key)
            if known is None:
                if not self._take_place(intake):
                    self._refuse_flow(intake, key[2:])
                    return
                known = 0
            intake.translated[key] = known | bits

    def _begin_earlier(self, connection: Connection, second: int) -> None:
        """An event that arrived late shows an earlier begin, or the end of a presumed silence."""
        if connection.first == NEVER:
            return
        if connection.previous != NEVER and second - connection.previous <= self.idle:
            connection.first = NEVER
            return
        number = second // self.size
        if number < connection.first // self.size:
            is_next_older = number == connection.first // self.size - 1
            connection.evidence = connection.early if is_next_older else 0
            connection.early = connection.settled = 0
            intake = self.window(number)
            connection.deadline = intake.deadline
            intake.connections.append(connection)
        connection.first = second
        connection.early_until = self._early_until(second, number)
        if connection.early_until:
            connection.settled &= connection.early

    def _early_until(self, second: int, number: int) -> int:
        """Where the deadline would be if the begin turned out to lie in the window before.

        That can only be for a begin so shortly after the boundary that a line within the allowed
        lateness could still come from before it; later evidence alone decides for the others.
        """
        return number * self.size + self.settle if second < number * self.size + self.settle else 0

    def _join(self, connection: Connection, bits: int, second: int) -> None:
        """Join the evidence of an event before the connection's deadline."""
        connection.evidence |= bits
        settled = connection.settled | bits
        if connection.early_until:
            if second < connection.early_until:
                connection.early |= bits
            settled &= connection.early
        connection.settled = settled

    def _learn(
        self, connection: Connection, bits: int, second: int, flow: Flow, forth: bool
    ) -> None:
        """Join the evidence of an event, and what it knows of the two parties."""
        if second >= connection.deadline:
            return
        if flow.uuid and bits & ~connection.evidence & _WORTH_SHOWING:
            connection.uuid = flow.uuid
        self._join(connection, bits, second)
        peers = self.peers
        low, high = flow.source, flow.destination
        low_service, high_service = flow.source_service, flow.destination_service
        if not forth:
            low, high, low_service, high_service = high, low, high_service, low_service
        peer = connection.low
        if low is not None:
            if not low.pod_name or low.pod_name != peer.pod or low.namespace != peer.namespace:
                peer = peers.at(low, low_service)
                if peer is not connection.low and _is_better(peer, connection.low):
                    connection.low = peer
            if low.workloads and (not peer.learned or second <= peer.learned_at):
                peers.learn(low, second)
        peer = connection.high
        if high is not None:
            if not high.pod_name or high.pod_name != peer.pod or high.namespace != peer.namespace:
                peer = peers.at(high, high_service)
                if peer is not connection.high and _is_better(peer, connection.high):
                    connection.high = peer
            if high.workloads and (not peer.learned or second <= peer.learned_at):
                peers.learn(high, second)
        low_kind, high_kind = connection.low.kind, connection.high.kind
        settled = connection.settled
        if low_kind in _IMPROVABLE or high_kind in _IMPROVABLE:
            # Another vantage point may know better who this is: look at every event again.
            settled &= ~_PARTY
        else:
            settled |= _PARTY
        # One vantage point sees packets leave to the other node and answers delivered, the other
        # one the reverse: of each, the first event has told who is who.
        if bits & _SEEN_AT_LOW:
            settled |= _SEEN_AT_LOW
        if bits & _SEEN_AT_HIGH:
            settled |= _SEEN_AT_HIGH
        connection.settled = settled
        denied_by = flow.egress_denied_by or flow.ingress_denied_by
        if denied_by:
            policies = connection.policies or []
            policies.extend(policy for policy in denied_by if policy not in policies)
            connection.policies = policies

    def _look_up(self, connection: Connection, second: int, flow: Flow) -> None:
        assert flow.l7 is not None
        assert flow.l7.dns is not None
        dns = flow.l7.dns
        lookups = self.window(second // self.size).lookups
        is_answer = flow.l7.type in ANSWER_TYPES
        key = (flow.uuid or flow.time, dns.query, ",".join(dns.qtypes), is_answer)
        if key in lookups:
            return
        if len(lookups) >= MAX_LOOKUPS:
            self.counts.uncounted[LOOKUPS] += 1
            return
        lookups[key] = Lookup(connection, dns.query, dns.rcode, is_answer)

    def _weigh(
        self, connection: Connection, bits: int, kind: int, second: int, flow: Flow, node: str
    ) -> None:
        """An exported line that stands for many flows."""
        assert flow.aggregate is not None
        counts = flow.aggregate
        try:
            ingress, egress = int(counts.ingress_flow_count), int(counts.egress_flow_count)
            unknown = int(counts.unknown_direction_flow_count)
        except ValueError:
            return
        weight = max(ingress, egress) + unknown
        if not 1 <= weight <= MAX_WEIGHT:
            return
        key = (connection.key, connection.protocol, flow.node_name or node, flow.time, kind)
        intake = self.window(second // self.size)
        if key not in intake.weights and not self._take_place(intake):
            self._refuse(intake)
            return
        connection.weighted = True
        intake.weights[key] = (connection, bits, weight)


_EVERYTHING = -1
_PORTS = tuple(range(65_536))

_IMPROVABLE = frozenset(
    {
        PeerKind.UNKNOWN,
        PeerKind.UNMANAGED,
        PeerKind.INGRESS,
        PeerKind.HOST,
        PeerKind.REMOTE_NODE,
        PeerKind.MARKED,
    }
)
"""Kinds of an address that may turn out to be something else at another vantage point."""

_PARTY = e.PARTY | e.PARTY << e.BACK
_SEEN_AT_LOW = e.LEFT | e.DELIVERED << e.BACK
_SEEN_AT_HIGH = e.DELIVERED | e.LEFT << e.BACK

_TELLING_FORTH = e.PARTY | e.LEFT | e.DELIVERED | e.DENIED | e.DROPPED | e.RESET
_TELLING = _TELLING_FORTH | _TELLING_FORTH << e.BACK
"""Bits whose first event is worth reading whole: a new vantage point, policies, a failure."""

_POINTS: dict[str | int, int] = {
    "TO_ENDPOINT": e.DELIVERED,
    "TO_PROXY": e.PROXIED,
    "TO_OVERLAY": e.LEFT,
    "TO_NETWORK": e.LEFT,
}
"""What the place where a packet was seen tells."""

_WORTH_SHOWING = (e.DENIED | e.DROPPED | e.RESET) | (e.DENIED | e.DROPPED | e.RESET) << e.BACK


def _is_better(candidate: Peer, known: Peer) -> bool:
    if candidate.kind != known.kind:
        return candidate.kind > known.kind
    return (candidate.namespace, candidate.pod) > (known.namespace, known.pod)
