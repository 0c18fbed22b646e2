"""The packets of a connection, and which of them monitor aggregation lets through."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hubblewatch.simulate.clock import MICROSECOND, SECOND
from hubblewatch.simulate.connections import Connection, Course, Protocol
from hubblewatch.simulate.events.line import TCP_FLAGS

Packet = tuple[int, bool, str]
"""Time in nanoseconds at the initiator's node, whether it is a reply, and its flags."""

RETRANSMISSIONS = (0, 1, 3, 7, 15, 31)
"""Seconds after the first SYN at which Linux sends it again."""

REPORT_INTERVAL_NS = 5 * SECOND
"""Cilium's `monitor-aggregation-interval`."""


def tries(connection: Connection) -> Iterator[int]:
    """When an unanswered opening packet is sent: `exchanges` times, by TCP's timer or each 5 s."""
    for number in range(min(connection.exchanges, len(RETRANSMISSIONS))):
        if connection.protocol is Protocol.TCP:
            yield connection.start_ns + RETRANSMISSIONS[number] * SECOND + number * 211_000
        else:
            gap = SECOND if connection.protocol is Protocol.ICMP else 5 * SECOND
            yield connection.start_ns + number * gap + number * 97_000


def packets(connection: Connection, rng: Random) -> Iterator[Packet]:
    """All packets of a connection that is not stopped by policy, in time order."""
    script: Iterator[Packet]
    if connection.course is Course.UNANSWERED:
        script = ((at, False, "SYN") for at in tries(connection))
    elif connection.protocol is Protocol.TCP:
        script = _tcp(connection, rng)
    else:
        script = _datagrams(connection, rng)
    source, destination = connection.source, connection.destination
    for packet in script:
        # A pod that ends takes its connections with it, without a word.
        if packet[0] >= source.stopped_ns:
            return
        if packet[0] >= destination.stopped_ns and not connection.to_the_dead:
            return
        yield packet


def _tcp(connection: Connection, rng: Random) -> Iterator[Packet]:
    at = connection.start_ns
    round_trip = int((60 + 600 * rng.random()) * MICROSECOND)
    yield at, False, "SYN"
    if connection.course is Course.REFUSED:
        yield at + round_trip, True, "RST"
        return
    yield at + round_trip, True, "SYN-ACK"
    at += round_trip + 20_000
    yield at, False, "ACK"
    # What is left of the lifetime after the handshake and before the end is split evenly.
    rounds = connection.exchanges
    pause = max(2 * round_trip, (connection.lifetime_ns - 4 * round_trip) // max(1, rounds))
    for number in range(rounds):
        sent = at + 30_000 + number * pause + int(rng.random() * 0.2 * pause)
        answered = sent + round_trip + int(rng.random() * 0.5 * pause)
        yield sent, False, "PSH"
        yield sent + round_trip, True, "ACK"
        yield answered + round_trip, True, "PSH"
        yield answered + round_trip + 15_000, False, "ACK"
    at += 60_000 + rounds * pause
    if connection.course is Course.ABORTED:
        yield at, False, "RST"
        return
    yield at, False, "FIN"
    yield at + round_trip, True, "FIN"
    yield at + round_trip + 12_000, False, "ACK"


def _datagrams(connection: Connection, rng: Random) -> Iterator[Packet]:
    round_trip = int((80 + 900 * rng.random()) * MICROSECOND)
    rounds = connection.exchanges
    pause = max(3 * round_trip, connection.lifetime_ns // max(1, rounds))
    for number in range(rounds):
        sent = connection.start_ns + number * pause
        yield sent, False, ""
        if connection.course is not Course.ONE_WAY:
            yield sent + round_trip, True, ""


class Aggregator:
    """Monitor aggregation of one observation point and direction.

    At level medium it reports the first packet, each packet with a TCP flag not seen before, and
    otherwise one packet each five seconds; at level none, every packet.
    """

    __slots__ = ("_every_packet", "_last_ns", "_seen")

    def __init__(self, every_packet: bool) -> None:
        self._every_packet = every_packet
        self._seen = 0
        self._last_ns = -REPORT_INTERVAL_NS

    def reports(self, time_ns: int, flags: str) -> bool:
        """Whether the packet becomes an event."""
        if self._every_packet:
            return True
        mask = TCP_FLAGS[flags][2] if flags else 0
        if mask & ~self._seen or time_ns - self._last_ns >= REPORT_INTERVAL_NS:
            self._seen |= mask
            self._last_ns = time_ns
            return True
        return False
