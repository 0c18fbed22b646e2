"""Events of connections that the L7 proxy of the source node intercepts.

The initiator's connection ends at the proxy; the proxy opens a leg of its own from the node's
address, and writes an access log event for each request and each answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hubblewatch.simulate.clock import MICROSECOND
from hubblewatch.simulate.connections import Connection, Course, Protocol
from hubblewatch.simulate.events.access_log import dns_answer, dns_query, http_answer, http_request
from hubblewatch.simulate.events.line import (
    EGRESS,
    FORWARDED,
    INGRESS,
    Event,
    Way,
    ports,
)
from hubblewatch.simulate.events.packets import Aggregator, Packet, packets
from hubblewatch.simulate.events.plain import Observation, ways
from hubblewatch.simulate.events.trace import (
    NETWORK_DELAY_NS,
    UPLINK,
    VXLAN,
    departure,
    policies,
    to_endpoint,
    trace,
    verdict,
)
from hubblewatch.simulate.peers import Host, Pod

_LOG_REST = f',"event_type":{{"type":129}},{EGRESS}'
_REQUEST = f'{_LOG_REST},"is_reply":false'
_ANSWER = f'{_LOG_REST},"is_reply":true'


class ProxiedConnection:
    """Renders one connection; `router` is the address the proxy speaks from."""

    def __init__(
        self, connection: Connection, observation: Observation, router: Host, seed: int
    ) -> None:
        self._connection = connection
        self._observation = observation
        self._router = router
        self._seed = seed
        self._rng = Random(seed + 5)
        self._is_dns = connection.protocol is Protocol.UDP
        self._packets: list[Packet] = list(packets(connection, Random(seed)))
        # A and AAAA have a leg each; HTTP keeps one leg for the connection.
        legs = len([0 for _, reply, _ in self._packets if not reply]) if self._is_dns else 1
        self._leg_ports = [
            32_768 + int(self._rng.random() * 28_000) // 8 * 8 + number for number in range(legs)
        ]

    def initiator_events(self) -> Iterator[Event]:
        """What the initiator's node reports between pod and proxy, and the access log."""
        connection, rng, write = self._connection, self._rng, self._observation.writer
        source = connection.source
        assert source.node is not None
        forth, back = ways(connection, source.node)
        opening = "" if self._is_dns else "SYN"
        member = policies("egress_allowed_by", source.policy or "l7-visibility", source.namespace)
        yield write.line(
            rng, connection.start_ns, '"REDIRECTED"', forth, opening, verdict(EGRESS, 2), member
        )
        to_proxy = trace("TO_PROXY", EGRESS, "NEW", False, "")
        to_proxy_later = trace("TO_PROXY", EGRESS, "ESTABLISHED", False, "")
        from_proxy = to_endpoint(EGRESS, "REPLY", True, source)
        outward = Aggregator(self._observation.every_packet or self._is_dns)
        inward = Aggregator(self._observation.every_packet or self._is_dns)
        asked = answered = 0
        for at, reply, flags in self._packets:
            speaks = flags in ("", "PSH")
            if not reply:
                if outward.reports(at, flags):
                    yield write.line(rng, at + 15_000, FORWARDED, forth, flags, to_proxy)
                to_proxy = to_proxy_later
                if speaks:
                    yield self._request(at + 200 * MICROSECOND, forth, asked)
                    asked += 1
            else:
                if speaks:
                    yield self._answer(at - 80 * MICROSECOND, back, answered)
                    answered += 1
                if inward.reports(at, flags):
                    yield write.line(rng, at + 9_000, FORWARDED, back, flags, from_proxy)

    def _request(self, at: int, way: Way, number: int) -> Event:
        connection = self._connection
        if connection.dns is not None:
            record, summary = dns_query(connection.dns, number)
        else:
            assert connection.http is not None
            record, summary = http_request(connection.http)
        verdict_name = '"DROPPED"' if connection.course is Course.DENIED_L7 else FORWARDED
        return self._observation.writer.l7_line(
            self._rng, at, verdict_name, way, _REQUEST, record, summary
        )

    def _answer(self, at: int, way: Way, number: int) -> Event:
        connection = self._connection
        latency_ns = max(100_000, connection.lifetime_ns // max(1, 2 * connection.exchanges))
        if connection.dns is not None:
            record, summary = dns_answer(connection.dns, number, latency_ns)
        else:
            assert connection.http is not None
            record, summary = http_answer(connection.http, latency_ns)
        return self._observation.writer.l7_line(
            self._rng, at, FORWARDED, way, _ANSWER, record, summary
        )

    def leg_departure_events(self) -> Iterator[Event]:
        """The proxy's own leg as it leaves the initiator's node (nothing for a local responder)."""
        connection, observation = self._connection, self._observation
        source, destination = connection.source, connection.destination
        if destination.node is source.node or connection.course is Course.DENIED_L7:
            return
        assert source.node is not None
        assert isinstance(source, Pod)
        point, interface = ("TO_OVERLAY", VXLAN) if observation.overlay else ("TO_NETWORK", UPLINK)
        rest = trace(point, "", "", None, interface)
        endpoint = '{"identity":6,"labels":["reserved:remote-node"]}'
        for way, at, reply, flags in self._leg(source.node, endpoint, endpoint):
            if not reply:
                yield observation.writer.line(
                    self._rng, at + 300 * MICROSECOND, FORWARDED, way, flags, rest
                )

    def leg_arrival_events(self) -> Iterator[Event]:
        """The leg at the responder's node: a client without a pod's name."""
        connection, observation = self._connection, self._observation
        destination = connection.destination
        observer = destination.node
        if observer is None or not destination.interface or connection.course is Course.DENIED_L7:
            return
        local = connection.source.node is observer
        outside = self._router.endpoint(observer)
        arriving = to_endpoint(INGRESS, "NEW", False, destination)
        leaving = departure(
            observation.overlay, observer, destination, self._router, reply=True, reason="REPLY"
        )
        for way, at, reply, flags in self._leg(observer, outside, outside):
            if not reply:
                delay = 300 * MICROSECOND + (0 if local else NETWORK_DELAY_NS)
                yield observation.writer.line(
                    self._rng, at + delay, FORWARDED, way, flags, arriving
                )
                continue
            for rest in leaving:
                yield observation.writer.line(self._rng, at, FORWARDED, way, flags, rest)

    def _leg(
        self, observer: object, outside: str, answered: str
    ) -> Iterator[tuple[Way, int, bool, str]]:
        """Packets of the leg, with the way they go; reported as aggregation allows."""
        connection, router = self._connection, self._router
        source, destination = connection.source, connection.destination
        assert isinstance(source, Pod)
        name = connection.protocol.value
        # HTTP legs keep the client's identity, DNS legs show the node itself.
        caller = outside if self._is_dns else source.leg_endpoint
        node = source.node if observer is source.node else destination.node
        assert node is not None
        legs = []
        for port in self._leg_ports:
            service = connection.destination_port
            legs.append(
                (
                    Way(node, router, destination, ports(name, port, service), reply=False,
                        summary=name, source_endpoint=caller),
                    Way(node, destination, router, ports(name, service, port), reply=True,
                        summary=name, destination_endpoint=answered),
                )
            )  # fmt: skip
        every = self._observation.every_packet or self._is_dns
        outward, inward = Aggregator(every), Aggregator(every)
        asked = answers = 0
        for at, reply, flags in self._packets:
            number = (answers if reply else asked) if self._is_dns else 0
            forth, back = legs[min(number, len(legs) - 1)]
            if reply:
                answers += 1
                if inward.reports(at, flags):
                    yield back, at, True, flags
            else:
                asked += 1
                if outward.reports(at, flags):
                    yield forth, at, False, flags
