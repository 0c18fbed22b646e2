"""Events of connections that no proxy touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from hubblewatch.simulate.clock import MICROSECOND
from hubblewatch.simulate.connections import Connection, Course, Protocol
from hubblewatch.simulate.events.line import (
    EGRESS,
    FORWARDED,
    INGRESS,
    Event,
    LineWriter,
    Way,
    icmp,
    ports,
)
from hubblewatch.simulate.events.packets import Aggregator, packets, tries
from hubblewatch.simulate.events.trace import (
    NETWORK_DELAY_NS,
    denied_verdict,
    departure,
    drop,
    dropped,
    policies,
    summary,
    to_endpoint,
    trace,
    verdict,
)
from hubblewatch.simulate.peers import Node, Peer


@dataclass(frozen=True)
class Observation:
    """How the cluster is observed; `every_packet` is monitor aggregation level none."""

    writer: LineWriter
    overlay: bool
    every_packet: bool


def ways(connection: Connection, observer: Node) -> tuple[Way, Way]:
    """The connection as `observer` describes it: towards the responder, and back."""
    source, destination = connection.source, connection.destination
    if connection.protocol is Protocol.ICMP:
        there, back = icmp(8), icmp(0)
    else:
        name = connection.protocol.value
        there = ports(name, connection.source_port, connection.destination_port)
        back = ports(name, connection.destination_port, connection.source_port)
    return (
        Way(observer, source, destination, there, reply=False,
            summary=summary(connection, False), names=connection.names),
        Way(observer, destination, source, back, reply=True,
            summary=summary(connection, True), names=connection.names),
    )  # fmt: skip


def allowed_verdict(
    observation: Observation, rng: Random, at: int, way: Way, peer: Peer, flags: str, ingress: bool
) -> Event:
    """The verdict that lets a connection pass at `peer`, by the peer's own policy."""
    member = "ingress_allowed_by" if ingress else "egress_allowed_by"
    return observation.writer.line(
        rng, at, FORWARDED, way, flags,
        verdict(INGRESS if ingress else EGRESS, 2),
        policies(member, peer.policy, peer.namespace),
    )  # fmt: skip


def source_events(connection: Connection, observation: Observation, seed: int) -> Iterator[Event]:
    """What the initiator's node reports of a connection that is not denied there."""
    source, destination = connection.source, connection.destination
    observer = source.node
    assert observer is not None
    rng = Random(seed)
    write = observation.writer.line
    forth, back = ways(connection, observer)
    opening = "SYN" if connection.protocol is Protocol.TCP else ""
    if connection.course is Course.AUDITED:
        yield write(rng, connection.start_ns, '"AUDIT"', forth, opening, verdict(EGRESS, 0))
    elif source.policy:
        yield allowed_verdict(
            observation, rng, connection.start_ns, forth, source, opening, ingress=False
        )
    overlay = observation.overlay
    new = departure(overlay, observer, source, destination, reply=False, reason="NEW")
    established = departure(
        overlay, observer, source, destination, reply=False, reason="ESTABLISHED"
    )
    if connection.to_the_dead and not new:
        # Without an endpoint the address is like any other: the packet goes to the stack.
        new = established = [trace("TO_STACK", EGRESS, "NEW", False, "")]
    # A host has no interface of its own to be traced at.
    returned = to_endpoint(EGRESS, "REPLY", True, source) if source.interface else ""
    outward, inward = Aggregator(observation.every_packet), Aggregator(observation.every_packet)
    middle = new
    for at, reply, flags in packets(connection, Random(seed)):
        if reply:
            if returned and inward.reports(at, flags):
                yield write(rng, at + 9 * MICROSECOND, FORWARDED, back, flags, returned)
            continue
        if middle and outward.reports(at, flags):
            for number, rest in enumerate(middle):
                yield write(
                    rng, at + (21 + 4 * number) * MICROSECOND, FORWARDED, forth, flags, rest
                )
        middle = established


def destination_events(
    connection: Connection, observation: Observation, seed: int
) -> Iterator[Event]:
    """What the responder's node reports of a connection that is not denied there."""
    source, destination = connection.source, connection.destination
    observer = destination.node
    assert observer is not None
    rng = Random(seed + 1)
    write = observation.writer.line
    forth, back = ways(connection, observer)
    local = source.node is observer
    delay = 30 * MICROSECOND if local else NETWORK_DELAY_NS
    opening = "SYN" if connection.protocol is Protocol.TCP else ""
    if destination.policy:
        yield allowed_verdict(
            observation, rng, connection.start_ns + delay, forth, destination, opening, ingress=True
        )
    replies = departure(
        observation.overlay, observer, destination, source, reply=True, reason="REPLY"
    )
    rest = to_endpoint(INGRESS, "NEW", False, destination)
    established = to_endpoint(INGRESS, "ESTABLISHED", False, destination)
    inward, outward = Aggregator(observation.every_packet), Aggregator(observation.every_packet)
    for at, reply, flags in packets(connection, Random(seed)):
        if not reply:
            if inward.reports(at, flags):
                yield write(rng, at + delay + 11 * MICROSECOND, FORWARDED, forth, flags, rest)
            rest = established
        elif replies and outward.reports(at, flags):
            for number, middle in enumerate(replies):
                left = at - delay // 2 + number * 4 * MICROSECOND
                yield write(rng, left, FORWARDED, back, flags, middle)


def denial_events(
    connection: Connection, observation: Observation, seed: int, *, ingress: bool
) -> Iterator[Event]:
    """Verdict and drop for each try, at the node that denies."""
    observer = connection.destination.node if ingress else connection.source.node
    assert observer is not None
    rng = Random(seed + 2)
    write = observation.writer.line
    forth, _ = ways(connection, observer)
    opening = "SYN" if connection.protocol is Protocol.TCP else ""
    reason = 181 if connection.deny_policy else 133
    direction = INGRESS if ingress else EGRESS
    denied_by = ""
    if connection.deny_policy:
        member = "ingress_denied_by" if ingress else "egress_denied_by"
        owner = connection.destination if ingress else connection.source
        denied_by = policies(member, connection.deny_policy, owner.namespace)
    remote = ingress and connection.source.node is not observer
    for sent in tries(connection):
        at = sent + (NETWORK_DELAY_NS if remote else 0)
        yield write(
            rng, at, dropped(reason), forth, opening, denied_verdict(direction, reason), denied_by
        )
        later = at + int((4 + 40 * rng.random()) * MICROSECOND)
        yield write(rng, later, dropped(reason), forth, opening, drop(direction, reason))


def sent_but_denied_events(
    connection: Connection, observation: Observation, seed: int
) -> Iterator[Event]:
    """The initiator's node's view of what the responder's node denies: tries without answer."""
    source, destination = connection.source, connection.destination
    observer = source.node
    if observer is None:
        return
    rng = Random(seed + 3)
    forth, _ = ways(connection, observer)
    opening = "SYN" if connection.protocol is Protocol.TCP else ""
    if source.policy:
        yield allowed_verdict(
            observation, rng, connection.start_ns, forth, source, opening, ingress=False
        )
    middle = departure(
        observation.overlay, observer, source, destination, reply=False, reason="NEW"
    )
    outward = Aggregator(observation.every_packet)
    for at in tries(connection):
        if outward.reports(at, opening):
            for number, rest in enumerate(middle):
                later = at + (21 + 4 * number) * MICROSECOND
                yield observation.writer.line(rng, later, FORWARDED, forth, opening, rest)


def drop_events(connection: Connection, observation: Observation, seed: int) -> Iterator[Event]:
    """Drops at the source node for another reason than policy: no verdict goes before them."""
    observer = connection.source.node
    assert observer is not None
    rng = Random(seed + 4)
    forth, _ = ways(connection, observer)
    opening = "SYN" if connection.protocol is Protocol.TCP else ""
    reason = connection.drop_reason
    for at in tries(connection):
        yield observation.writer.line(
            rng, at, dropped(reason), forth, opening, drop(EGRESS, reason)
        )
