"""Connections that do not work: each builder gives the lines of one attempt."""

from __future__ import annotations

from typing import Any

from tests.builders import DROP, VERDICT, Party, flow, pod
from tests.connections import tcp


def denied(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    port: int = 5_432,
    from_port: int = 41_000,
    protocol: str = "TCP",
    retransmissions: int = 5,
    ingress: bool = False,
    policy: str = "",
) -> list[bytes]:
    """A connect that a policy denies: verdict and drop, again for each retransmission.

    ``ingress`` denies at the responder's node, after the packet left the initiator's.
    """
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    node = destination.node if ingress else source.node
    lines = []
    what: dict[str, Any] = {"protocol": protocol, "ports": (from_port, port)}
    if protocol == "TCP":
        what["flags"] = "SYN"
    reason: dict[str, Any] = {"drop_reason": 181 if policy else 133}
    reason |= {"drop_reason_desc": "POLICY_DENY" if policy else "POLICY_DENIED"}
    named = {}
    if policy:
        member = "ingress_denied_by" if ingress else "egress_denied_by"
        named = {member: [{"name": policy, "namespace": source.namespace, "kind": "CNP"}]}
    for after in (0, 1, 3, 7, 15, 31)[: retransmissions + 1]:
        when = at + after
        if ingress and source.node and source.node != node:
            lines += [
                flow(source, destination, at=when, kind=VERDICT, is_reply=False, **what),
                flow(
                    source, destination, at=when + 1e-4, point="TO_OVERLAY", is_reply=False, **what
                ),
            ]
        blocked: dict[str, Any] = {"verdict": "DROPPED", "node": node} | what | reason
        lines += [
            flow(source, destination, at=when + 2e-4, kind=VERDICT, **blocked, **named),
            flow(source, destination, at=when + 3e-4, kind=DROP, **blocked),
        ]
    return lines


def unanswered(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    port: int = 8_080,
    from_port: int = 41_000,
    tries: int = 3,
) -> list[bytes]:
    """A connect that nobody answers: the SYN goes out again and again."""
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    what: dict[str, Any] = {"flags": "SYN", "ports": (from_port, port), "is_reply": False}
    lines = [flow(source, destination, at=at, kind=VERDICT, **what)]
    lines += [
        flow(source, destination, at=at + after + 1e-4, point="TO_ENDPOINT", **what)
        for after in (0, 1, 3, 7)[:tries]
    ]
    return lines


def refused(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    port: int = 8_080,
    from_port: int = 41_000,
) -> list[bytes]:
    """A connect that is answered by a reset."""
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    forth: dict[str, Any] = {"ports": (from_port, port), "is_reply": False, "flags": "SYN"}
    return [
        flow(source, destination, at=at, kind=VERDICT, **forth),
        flow(source, destination, at=at + 1e-4, point="TO_ENDPOINT", **forth),
        flow(
            destination, source, at=at + 2e-4, point="TO_ENDPOINT", flags="RST ACK",
            ports=(port, from_port), is_reply=True,
        ),
    ]  # fmt: skip


def audited(
    source: Party | None = None, destination: Party | None = None, at: float = 0.0
) -> list[bytes]:
    """A connection that a policy in audit mode would have denied."""
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    verdict = flow(source, destination, at=at, kind=VERDICT, verdict="AUDIT", flags="SYN")
    return [verdict, *tcp(source, destination, at + 1e-6)[1:]]


def dropped(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    reason: int = 158,
    name: str = "SERVICE_BACKEND_NOT_FOUND",
) -> list[bytes]:
    """A connect that is dropped for another reason than policy."""
    what: dict[str, Any] = {"kind": DROP, "verdict": "DROPPED", "flags": "SYN"}
    what |= {"drop_reason": reason, "drop_reason_desc": name}
    return [flow(source, destination, at=at + after, **what) for after in (0, 1, 3)]
