"""Connections through the L7 proxy: each builder gives the lines of one attempt."""

from __future__ import annotations

from typing import Any

from tests.builders import L7, VERDICT, Party, behind_proxy, flow, host, pod


def proxied(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    port: int = 8_080,
    from_port: int = 41_000,
    leg: Party | None = None,
    leg_port: int = 52_000,
    code: int = 200,
) -> list[bytes]:
    """An HTTP connection that the source node's L7 proxy intercepts, with the proxy's own leg.

    ``leg`` is how the proxy appears to the responder: the node, or the pod's identity without a
    pod. A denied request (``code`` 403) never gets a leg.
    """
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    leg = leg or behind_proxy(source, source.node)
    node = source.node
    forth = {"ports": (from_port, port), "node": node, "is_reply": False}
    back = {"ports": (port, from_port), "node": node, "is_reply": True}
    denied = code == 403
    request = {"type": "REQUEST", "http": {"method": "GET", "url": "http://db/", "headers": []}}
    answer = {"type": "RESPONSE", "latency_ns": "999958359", "http": {"code": code}}
    lines = [
        flow(source, destination, at=at, kind=VERDICT, verdict="REDIRECTED", flags="SYN", **forth),
        flow(source, destination, at=at + 1e-4, point="TO_PROXY", flags="SYN", **forth),
        flow(destination, source, at=at + 2e-4, point="TO_ENDPOINT", flags="SYN ACK", **back),
        flow(source, destination, at=at + 3e-4, point="TO_PROXY", flags="PSH ACK", **forth),
        flow(
            source,
            destination,
            at=at + 4e-4,
            kind=L7,
            verdict="DROPPED" if denied else "FORWARDED",
            l7=request,
            **forth,
        ),
    ]
    if not denied:
        lines += _leg(leg, destination, at + 1e-3, (leg_port, port), node)
    lines += [
        flow(destination, source, at=at + 9e-3, kind=L7, l7=answer, **back),
        flow(destination, source, at=at + 9.1e-3, point="TO_ENDPOINT", flags="PSH ACK", **back),
        flow(source, destination, at=at + 9.5e-3, point="TO_PROXY", flags="FIN ACK", **forth),
    ]
    return lines


def _leg(
    leg: Party, destination: Party, at: float, ports: tuple[int, int], node: str
) -> list[bytes]:
    back = ports[::-1]
    if destination.node == node:
        return [
            flow(
                leg,
                destination,
                at=at,
                point="TO_ENDPOINT",
                flags="SYN",
                ports=ports,
                node=node,
                is_reply=False,
            ),
            flow(
                destination,
                host(node, leg.address),
                at=at + 1e-4,
                point="TO_STACK",
                flags="SYN ACK",
                ports=back,
                node=node,
                is_reply=True,
            ),
        ]
    other = destination.node
    lines = [flow(leg, destination, at=at, point="TO_OVERLAY", flags="SYN", ports=ports, node=node)]
    if other:
        lines += [
            flow(
                leg,
                destination,
                at=at + 1e-4,
                point="TO_ENDPOINT",
                flags="SYN",
                ports=ports,
                node=other,
                is_reply=False,
            ),
            flow(
                destination,
                leg,
                at=at + 2e-4,
                point="TO_OVERLAY",
                flags="SYN ACK",
                ports=back,
                node=other,
                is_reply=True,
            ),
        ]
    return lines


def dns(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    name: str = "db.shop.svc.cluster.local.",
    rcode: int = 0,
    from_port: int = 41_000,
) -> list[bytes]:
    """A name looked up through the DNS proxy: A and AAAA on one socket, two answers."""
    source = source or pod()
    destination = destination or pod("kube-system/coredns-558bd4d5db-w2m67", node="node-b")
    forth: dict[str, Any] = {"protocol": "UDP", "ports": (from_port, 53), "is_reply": False}
    back: dict[str, Any] = {"protocol": "UDP", "ports": (53, from_port), "is_reply": True}
    forth |= {"node": source.node}
    back |= {"node": source.node}
    lines = [flow(source, destination, at=at, kind=VERDICT, verdict="REDIRECTED", **forth)]
    for number, kind in enumerate(("A", "AAAA")):
        when = at + 1e-4 + number * 5e-5
        record: dict[str, Any] = {"query": name, "qtypes": [kind], "observation_source": "proxy"}
        asked = {"type": "REQUEST", "dns": record}
        if rcode:
            record = record | {"rcode": rcode}
        told = {"type": "RESPONSE", "latency_ns": "1200000", "dns": record}
        leg = flow(
            host(source.node), destination, at=when + 2e-4, point="TO_OVERLAY",
            protocol="UDP", ports=(50_000 + number, 53), node=source.node,
        )  # fmt: skip
        lines += [
            flow(source, destination, at=when, point="TO_PROXY", **forth),
            flow(source, destination, at=when + 1e-4, kind=L7, l7=asked, **forth),
            leg,
            flow(destination, source, at=when + 2e-3, kind=L7, l7=told, **back),
            flow(destination, source, at=when + 2.1e-3, point="TO_ENDPOINT", **back),
        ]
    return lines
