"""Who opened a connection: by its own evidence, else by its ports and the known services."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hubblewatch.attempt import evidence as e
from hubblewatch.attempt.connection import ICMP, UDP, Connection
from hubblewatch.attempt.evidence import Direction


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
