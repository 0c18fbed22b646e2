"""The fixed middle parts of trace, verdict and drop events."""

from __future__ import annotations

from hubblewatch.simulate.clock import MICROSECOND
from hubblewatch.simulate.connections import Connection, Protocol
from hubblewatch.simulate.events.line import EGRESS, INGRESS
from hubblewatch.simulate.peers import Node, Peer


def dropped(reason: int) -> str:
    """The verdict member's value, with the old numeric reason that Hubble still writes."""
    return f'"DROPPED","drop_reason":{reason}'


NETWORK_DELAY_NS = 140 * MICROSECOND
"""From the source node's event to the destination node's."""

_POINTS = {
    "TO_PROXY": '"event_type":{"type":4,"sub_type":1}',
    "TO_STACK": '"event_type":{"type":4,"sub_type":3}',
    "TO_OVERLAY": '"event_type":{"type":4,"sub_type":4}',
    "TO_ENDPOINT": '"event_type":{"type":4}',
    "TO_NETWORK": '"event_type":{"type":4,"sub_type":11}',
}

VXLAN = ',"interface":{"index":6,"name":"cilium_vxlan"}'
UPLINK = ',"interface":{"index":2,"name":"eth0"}'

DROP_REASONS = {
    132: "INVALID_SOURCE_IP",
    133: "POLICY_DENIED",
    151: "STALE_OR_UNROUTABLE_IP",
    155: "CT_MAP_INSERTION_FAILED",
    158: "SERVICE_BACKEND_NOT_FOUND",
    181: "POLICY_DENY",
}


def trace(point: str, direction: str, reason: str, is_reply: bool | None, interface: str) -> str:
    """Middle part of a trace event; `reason` NEW, ESTABLISHED, REPLY or empty for unknown."""
    parts = f",{_POINTS[point]}"
    if direction:
        parts += f",{direction}"
    parts += f',"trace_observation_point":"{point}"'
    if reason:
        parts += f',"trace_reason":"{reason}"'
    if is_reply is not None:
        parts += f',"is_reply":{"true" if is_reply else "false"}'
    return parts + interface


def to_endpoint(direction: str, reason: str, is_reply: bool | None, peer: Peer) -> str:
    """Middle part of the event of a packet that enters `peer`'s own interface."""
    return trace("TO_ENDPOINT", direction, reason, is_reply, f',"interface":{peer.interface}')


def verdict(direction: str, match_type: int) -> str:
    """Middle part of a policy verdict that lets a packet pass (forwarded, audited, redirected)."""
    return (
        f',"event_type":{{"type":5}},{direction},"policy_match_type":{match_type},"is_reply":false'
    )


def denied_verdict(direction: str, reason: int) -> str:
    """Middle part of a denying policy verdict; Hubble leaves `is_reply` out."""
    match = ',"policy_match_type":2' if reason == 181 else ""
    return (
        f',"event_type":{{"type":5}},{direction}{match},"drop_reason_desc":"{DROP_REASONS[reason]}"'
    )


def drop(direction: str, reason: int) -> str:
    """Middle part of a drop event."""
    return (
        f',"event_type":{{"type":1,"sub_type":{reason}}},{direction},'
        f'"file":{{"name":"bpf_lxc.c","line":{1_300 + reason}}},'
        f'"drop_reason_desc":"{DROP_REASONS[reason]}"'
    )


def policies(member: str, name: str, namespace: str) -> str:
    """`,"egress_allowed_by":[…]` and its like, naming one policy."""
    return (
        f',"{member}":[{{"name":"{name}","namespace":"{namespace}","labels":['
        f'"k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy",'
        f'"k8s:io.cilium.k8s.policy.name={name}",'
        f'"k8s:io.cilium.k8s.policy.namespace={namespace}"],'
        f'"revision":"7","kind":"CiliumNetworkPolicy"}}]'
    )


def departure(
    overlay: bool, observer: Node, sender: Peer, receiver: Peer, *, reply: bool, reason: str
) -> list[str]:
    """Middle parts of the events of a packet that leaves `sender` on its own node.

    Empty when the receiver is on the same node: then only the entry into it is traced.
    """
    direction = INGRESS if reply else EGRESS
    if receiver.node is observer:
        if receiver.interface:
            return []
        return [trace("TO_STACK", direction, reason, reply, "")]
    if not sender.is_pod:
        # What the node itself sends is traced by bpf_host, which knows no connection.
        point, interface = ("TO_OVERLAY", VXLAN) if overlay else ("TO_NETWORK", UPLINK)
        return [trace(point, "", "", None, interface)]
    if receiver.node is None or not receiver.interface:
        return [trace("TO_STACK", direction, reason, reply, "")]
    if overlay:
        return [trace("TO_OVERLAY", direction, reason, reply, VXLAN)]
    return [
        trace("TO_STACK", direction, reason, reply, ""),
        trace("TO_NETWORK", "", "", None, UPLINK),
    ]


def summary(connection: Connection, reply: bool) -> str:
    """The summary of a packet without TCP flags."""
    if connection.protocol is Protocol.ICMP:
        return "ICMPv4 EchoReply" if reply else "ICMPv4 EchoRequest"
    return str(connection.protocol.value)
