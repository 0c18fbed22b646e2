"""Whole connections: each builder gives the lines of one attempt, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.builders import VERDICT, Party, as_service, flow, pod


def tcp(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    port: int = 8_080,
    from_port: int = 41_000,
    aggregated: bool = True,
    seen_from: Iterable[str] | None = None,
    ends: bool = True,
) -> list[bytes]:
    """A connection that works: handshake, data both ways, end.

    ``aggregated`` is Cilium's medium monitor aggregation: without it every packet shows, and
    already where it leaves its endpoint. ``seen_from`` limits the nodes that report.
    """
    packets = [(0.0, False, "SYN"), (0.001, True, "SYN ACK"), (0.002, False, "ACK")]
    packets += [(0.003, False, "PSH ACK"), (0.010, True, "PSH ACK")]
    if not aggregated:
        packets += [(0.004, False, "ACK"), (0.005, False, "PSH ACK"), (0.011, True, "ACK")]
    if ends:
        packets += [(0.100, False, "FIN ACK"), (0.101, True, "FIN ACK")]
    return _carried("TCP", packets, source, destination, at, port, from_port, aggregated, seen_from)


def through_service(lines: list[bytes], point: str = "TO_ENDPOINT", port: int = 80) -> list[bytes]:
    """The same connection opened to a service's address; its answers show that at one point."""
    shown = f'"trace_observation_point":"{point}","is_reply":true'.encode()
    return [as_service(line, "10.96.0.50", port) if shown in line else line for line in lines]


def datagrams(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    protocol: str = "UDP",
    port: int = 53,
    from_port: int = 41_000,
    answers: int = 2,
    aggregated: bool = True,
    seen_from: Iterable[str] | None = None,
) -> list[bytes]:
    """Requests (A and AAAA, say) and their answers on one UDP or SCTP five-tuple."""
    packets = [(0.0, False, ""), (0.0002, False, "")]
    packets += [(0.001 + 0.001 * number, True, "") for number in range(answers)]
    return _carried(
        protocol, packets, source, destination, at, port, from_port, aggregated, seen_from
    )


def _carried(
    protocol: str,
    packets: Sequence[tuple[float, bool, str]],
    source: Party | None,
    destination: Party | None,
    at: float,
    port: int,
    from_port: int,
    aggregated: bool,
    seen_from: Iterable[str] | None,
) -> list[bytes]:
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    nodes = {party.node for party in (source, destination) if party.node}
    watching = nodes if seen_from is None else nodes & set(seen_from)
    crosses = source.node != destination.node
    lines: list[tuple[float, bytes]] = []

    def show(when: float, node: str, **what: Any) -> None:
        if node not in watching:
            return
        reply = what.get("is_reply") or False
        ends = (destination, source) if reply else (source, destination)
        ports = (port, from_port) if reply else (from_port, port)
        event = flow(*ends, at=when, protocol=protocol, ports=ports, node=node, **what)
        lines.append((when, event))

    opening = "SYN" if protocol == "TCP" else ""
    if source.pod:
        show(at, source.node, kind=VERDICT, flags=opening, is_reply=False)
    if destination.pod:
        show(at + 5e-5, destination.node, kind=VERDICT, flags=opening, is_reply=False)
    for offset, reply, flags in sorted(packets, key=lambda packet: packet[0]):
        when = at + offset
        sender, receiver = (destination, source) if reply else (source, destination)
        seen = {"flags": flags, "is_reply": reply}
        if sender.node and not aggregated:
            show(when + 1e-5, sender.node, point="FROM_ENDPOINT", **seen)
        if sender.node and crosses:
            leaving = "TO_OVERLAY" if receiver.node else "TO_STACK"
            show(when + 2e-5, sender.node, point=leaving, **seen)
        if receiver.pod:
            show(when + 8e-5, receiver.node, point="TO_ENDPOINT", **seen)
        elif receiver.node == sender.node:
            show(when + 8e-5, sender.node, point="TO_STACK", **seen)
    return [event for _, event in sorted(lines, key=lambda one: one[0])]


def ping(
    source: Party | None = None, destination: Party | None = None, at: float = 0.0
) -> list[bytes]:
    """An ICMP echo and its reply; the reply's type is zero and therefore left out."""
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    echo: dict[str, Any] = {"protocol": "ICMPv4", "point": "TO_ENDPOINT"}
    return [
        flow(source, destination, at=at, ports=(8, 0), is_reply=False, **echo),
        flow(destination, source, at=at + 1e-3, ports=(0, 0), is_reply=True, **echo),
    ]
