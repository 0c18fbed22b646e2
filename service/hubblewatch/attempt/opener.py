"""Who opened a connection: by its own evidence, else by its ports and the known services."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hubblewatch.attempt import evidence as e
from hubblewatch.attempt.connection import ICMP, SCTP, TCP, UDP, Connection
from hubblewatch.attempt.event import TRACE, icmp_bits, other_bits
from hubblewatch.attempt.evidence import Direction
from hubblewatch.flow.schema import Flow


def opener(
    protocol: int,
    evidence: int,
    low: int,
    high: int,
    by_services: Callable[[], Direction] = lambda: Direction.UNCLEAR,
) -> Direction:
    """Give the end that opened a connection, FORTH or BACK, by all there is in order of trust.

    ``low`` and ``high`` are the ports of the key's ends. ``by_services`` is asked last but one:
    which end is known to serve others.
    """
    if protocol == UDP and 0 < low < e.WELL_KNOWN and high >= e.EPHEMERAL:
        # Cilium takes an answer for a request where it has forgotten the request, so such ports
        # beat its flags, though not what a verdict or the proxy says.
        found = e.direction(evidence & ~e.REPLY_FLAGS)
        return Direction.BACK if found is Direction.UNCLEAR else found
    found = e.direction(evidence)
    if found is not Direction.UNCLEAR and e.is_certain(evidence):
        return found
    if protocol == ICMP:
        return Direction.FORTH if found is Direction.UNCLEAR else found
    by_ports = e.direction_by_ports(low, high)
    if by_ports is not Direction.UNCLEAR and low != high:
        return by_ports
    serving = by_services()
    if serving is not Direction.UNCLEAR:
        return serving
    return Direction.BACK if found is Direction.UNCLEAR else found


class Openers:
    """Judges connections of one window; what is certain of some helps with the others."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections
        self._services: set[tuple[str, int, int]] | None = None

    def direction(self, connection: Connection) -> Direction:
        """Give the end that opened the connection, FORTH or BACK."""
        _, low, _, high = connection.key
        return opener(
            connection.protocol, connection.evidence, low, high, lambda: self._serving(connection)
        )

    def _serving(self, connection: Connection) -> Direction:
        """Give the direction towards the end that served others in this window beyond doubt."""
        if self._services is None:
            self._services = {
                _target(known) for known in self._connections if e.is_certain(known.evidence)
            }
        low_address, low, high_address, high = connection.key
        low_serves = (low_address, low, connection.protocol) in self._services
        high_serves = (high_address, high, connection.protocol) in self._services
        if low_serves == high_serves:
            return Direction.UNCLEAR
        return Direction.BACK if low_serves else Direction.FORTH


def _target(connection: Connection) -> tuple[str, int, int]:
    low_address, low, high_address, high = connection.key
    if e.direction(connection.evidence) is Direction.BACK:
        return low_address, low, connection.protocol
    return high_address, high, connection.protocol


def source_opened(flow: Flow) -> bool:
    """Judge by a single event whether its source opened the connection.

    It is what a window would say if it had seen no other event of the connection. An event without
    addresses or of no packet counts as its source's.
    """
    addresses, layer4 = flow.IP, flow.l4
    if addresses is None or layer4 is None:
        return True
    protocol = TCP
    if (segment := layer4.TCP) is not None:
        source_port, destination_port = segment.source_port, segment.destination_port
        flags = segment.flags
        if flags is not None and flags.SYN:
            return not flags.ACK
        bits = 0
    elif (datagram := layer4.UDP or layer4.SCTP) is not None:
        protocol = UDP if layer4.UDP is not None else SCTP
        source_port, destination_port = datagram.source_port, datagram.destination_port
        bits = 0
    elif (message := layer4.ICMPv4 or layer4.ICMPv6) is not None:
        protocol = ICMP
        version = 4 if layer4.ICMPv4 is not None else 6
        bits, source_port, destination_port = icmp_bits(message, version)
    else:
        return True
    kind = flow.event_type.type if flow.event_type is not None else 0
    if kind == TRACE and flow.verdict == "FORWARDED":
        is_reply = flow.is_reply
        if is_reply or (is_reply is None and flow.reply):
            bits |= e.REPLY
        elif is_reply is False:
            bits |= e.REQUEST
    else:
        more = other_bits(flow, kind)
        if more < 0:
            return True
        bits |= more
    if source_port < destination_port or (
        source_port == destination_port and addresses.source < addresses.destination
    ):
        return opener(protocol, bits, source_port, destination_port) is Direction.FORTH
    return opener(protocol, bits << e.BACK, destination_port, source_port) is Direction.BACK
