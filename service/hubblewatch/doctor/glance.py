"""Flows of one namespace at a glance: verdicts, denials, DNS failures, resets. Events, uncounted.

These are events and no attempts: a denied connect shows up once more at each retransmission.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from hubblewatch.attempt.workload import workload_from_pod_name
from hubblewatch.flow.schema import Addresses, Endpoint, Flow
from hubblewatch.flow.timestamp import TimestampError, parse_ns

MAX_ROWS = 20
"""Rows kept of each kind, busiest first."""

POLICY_REASONS = (133, 181, 189)
_POLICY_VERDICT, _LAYER7 = 5, 129
_RESERVED = {1: "host", 2: "world", 4: "health", 6: "remote-node", 7: "kube-apiserver"}
_PEER_FORM = "{source} -> {destination}"


class DeniedEdge(Struct, frozen=True):
    """An edge that a policy denied, and the policies that are named for it."""

    edge: str
    events: int
    policies: list[str]


class Row(Struct, frozen=True):
    """What, and in how many events."""

    name: str
    events: int


class FlowGlance(Struct, frozen=True):
    """The last flows of a namespace; all numbers are events."""

    flows: int
    seconds: float
    """From the oldest to the newest of them."""
    verdicts: dict[str, int]
    denials: list[DeniedEdge] = field(default_factory=list)
    dns_failures: list[Row] = field(default_factory=list)
    resets: list[Row] = field(default_factory=list)


def glance(flows: Iterable[Flow], since_ns: int = 0) -> FlowGlance:
    """Sum up the flows from ``since_ns`` on."""
    verdicts: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    policies: dict[str, dict[str, None]] = {}
    dns_failures: Counter[str] = Counter()
    resets: Counter[str] = Counter()
    times = []
    for flow in flows:
        try:
            time_ns = parse_ns(flow.time)
        except TimestampError:
            continue
        if time_ns < since_ns:
            continue
        times.append(time_ns)
        verdicts[str(flow.verdict) or "unknown"] += 1
        if _is_denial(flow):
            edge = edge_of(flow)
            denied[edge] += 1
            named = policies.setdefault(edge, {})
            for policy in (*(flow.egress_denied_by or ()), *(flow.ingress_denied_by or ())):
                named[f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name] = (
                    None
                )
        elif _is_policy_drop(flow):
            dropped[edge_of(flow)] += 1
        dns = flow.l7.dns if flow.l7 is not None else None
        if dns is not None and dns.rcode:
            dns_failures[f"{dns.query} (rcode {dns.rcode})"] += 1
        if flow.l4 is not None and flow.l4.TCP is not None:
            flags = flow.l4.TCP.flags
            if flags is not None and flags.RST:
                resets[edge_of(flow)] += 1
    # Each denied packet has both; drops count only where verdicts are not shown.
    for edge, count in dropped.items():
        if edge not in denied:
            denied[edge] = count
    return FlowGlance(
        len(times),
        (max(times) - min(times)) / 1e9 if times else 0.0,
        dict(verdicts.most_common()),
        [
            DeniedEdge(edge, count, list(policies.get(edge, ())))
            for edge, count in denied.most_common(MAX_ROWS)
        ],
        _rows(dns_failures),
        _rows(resets),
    )


def edge_of(flow: Flow) -> str:
    """Name the edge from who opened the connection to who answers it."""
    names = [
        _party(flow.source, flow.IP, is_source=True),
        _party(flow.destination, flow.IP, is_source=False),
    ]
    layer4 = flow.l4
    port, protocol = 0, ""
    is_reply = flow.is_reply if flow.is_reply is not None else flow.reply
    for kind in ("TCP", "UDP", "SCTP", "ICMPv4", "ICMPv6"):
        header = getattr(layer4, kind, None)
        if header is not None:
            protocol = kind
            if not kind.startswith("ICMP"):
                port = header.source_port if is_reply else header.destination_port
    if is_reply:
        names.reverse()
    ending = f":{port}/{protocol}" if port else f" {protocol}" if protocol else ""
    return _PEER_FORM.format(source=names[0], destination=names[1]) + ending


def _is_denial(flow: Flow) -> bool:
    """Tell whether it is a verdict that denied, of a policy or of the application proxy."""
    return flow.verdict == "DROPPED" and _kind(flow) in (_POLICY_VERDICT, _LAYER7)


def _is_policy_drop(flow: Flow) -> bool:
    """Tell whether it is the drop that follows a denying verdict; it names no policy."""
    return (
        flow.verdict == "DROPPED"
        and _kind(flow) not in (_POLICY_VERDICT, _LAYER7)
        and flow.drop_reason in POLICY_REASONS
    )


def _kind(flow: Flow) -> int:
    return flow.event_type.type if flow.event_type is not None else 0


def _party(endpoint: Endpoint | None, addresses: Addresses | None, *, is_source: bool) -> str:
    address = ""
    if addresses is not None:
        address = addresses.source if is_source else addresses.destination
    if endpoint is None:
        return address or "unknown"
    if endpoint.namespace:
        workload = endpoint.workloads[0].name if endpoint.workloads else ""
        name = workload or workload_from_pod_name(endpoint.pod_name)
        return f"{endpoint.namespace}/{name}"
    reserved = _RESERVED.get(endpoint.identity)
    if reserved is not None and reserved != "world":
        return reserved
    return address or reserved or "unknown"


def _rows(counted: Counter[str]) -> list[Row]:
    return [Row(name, count) for name, count in counted.most_common(MAX_ROWS)]
