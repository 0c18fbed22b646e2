"""Typed shapes of a line of Hubble JSON, reduced to the fields that counting uses.

A line is one ``GetFlowsResponse`` of Hubble's observer API in protojson form (enums by name, 64-bit
integers as strings, zero values left out), or one of our own heartbeats. Unknown fields are skipped
and unknown enum names kept as they are, so a newer Hubble is never an error.

Enum fields are ``str | int`` because protojson writes a value that its writer had no name for as a
number. None of the types holds references that can form a cycle, so all are kept out of the garbage
collector's sight: at half a million lines a second its visits would cost more than the decoding.
Encoded again (see ``encode``) they leave out their zero values, as protojson does.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct, field

Count = Annotated[int, Meta(ge=0, le=1 << 48)]
"""A number of our own control lines. They are summed, divided and stored: one that is negative or
too large to be true would fail at a closing, and with it all of the window's flows."""

Name = Annotated[str, Meta(max_length=512)]
"""A name of Kubernetes has up to 253 characters, a node's is that and its cluster's. Stored
by thousands, longer ones would make records that Kafka does not take, and no commit succeed.
"""

Domain = Annotated[str, Meta(max_length=4_096)]
"""A DNS name; as a pseudonym it is several times as long as the 253 characters that it may have."""


class Workload(Struct, gc=False, omit_defaults=True):
    """The controller of a pod, as the agent local to the pod reports it."""

    name: Name = ""
    kind: str = ""


class Endpoint(Struct, gc=False, omit_defaults=True):
    """One end of a flow. ``ID`` and ``workloads`` are set only by the node that hosts the endpoint.

    ``labels`` stays raw JSON: more than half of a line's bytes are labels, and they are read once
    per endpoint, not once per flow.
    """

    ID: int = 0
    identity: int = 0
    namespace: Name = ""
    pod_name: Name = ""
    labels: Raw = Raw(b"")
    workloads: tuple[Workload, ...] = ()
    cluster_name: Name = ""


class TCPFlags(Struct, gc=False, omit_defaults=True):
    """The TCP flags that tell who opened a connection and how it ended."""

    SYN: bool = False
    ACK: bool = False
    RST: bool = False
    FIN: bool = False


class Segment(Struct, gc=False, omit_defaults=True):
    """Ports and flags of a TCP segment."""

    source_port: int = 0
    destination_port: int = 0
    flags: TCPFlags | None = None


class Ports(Struct, gc=False, omit_defaults=True):
    """Ports of a UDP or SCTP packet."""

    source_port: int = 0
    destination_port: int = 0


class ICMP(Struct, gc=False, omit_defaults=True):
    """Type and code of an ICMP message; an echo reply is both zero, hence an empty object."""

    type: int = 0
    code: int = 0


class Layer4(Struct, gc=False, omit_defaults=True):
    """The transport header: exactly one member is set in a well-formed flow."""

    TCP: Segment | None = None
    UDP: Ports | None = None
    ICMPv4: ICMP | None = None
    ICMPv6: ICMP | None = None
    SCTP: Ports | None = None


class Addresses(Struct, gc=False, omit_defaults=True):
    """The addresses of the packet, as text.

    ``source_xlated`` is what the packet has in place of ``source``, where the agent translated it;
    ports are always the packet's.
    """

    source: Name = ""
    destination: Name = ""
    source_xlated: Name = ""


class EventType(Struct, gc=False, omit_defaults=True):
    """Cilium's monitor event type: 1 drop, 4 trace, 5 policy verdict, 7 socket, 129 L7."""

    type: int = 0
    sub_type: int = 0


class DNS(Struct, gc=False, omit_defaults=True):
    """The DNS part of an L7 flow."""

    query: Domain = ""
    rcode: int = 0
    qtypes: tuple[str, ...] = ()


class HTTP(Struct, gc=False, omit_defaults=True):
    """The HTTP part of an L7 flow; headers and URL are not read."""

    code: int = 0
    method: str = ""


class Layer7(Struct, gc=False, omit_defaults=True):
    """The application part of a flow, present only where an L7 policy applies."""

    type: str | int = ""
    dns: DNS | None = None
    http: HTTP | None = None


class Policy(Struct, gc=False, omit_defaults=True):
    """A network policy that decided over a flow."""

    name: Name = ""
    namespace: Name = ""
    kind: str = ""


class Aggregate(Struct, gc=False, omit_defaults=True):
    """How many flows an exported line stands for, by direction (from Cilium 1.19)."""

    ingress_flow_count: int | str = 0
    egress_flow_count: int | str = 0
    unknown_direction_flow_count: int | str = 0


class Service(Struct, gc=False, omit_defaults=True):
    """The service whose address and port an end of a packet has."""

    name: Name = ""
    namespace: Name = ""


class Flow(Struct, gc=False, omit_defaults=True):
    """One flow event: not a packet, not a connection (see docs/counting.md)."""

    time: str = ""
    uuid: str = ""
    verdict: str | int = ""
    drop_reason: int = 0
    drop_reason_desc: str | int = ""
    IP: Addresses | None = None
    l4: Layer4 | None = None
    source: Endpoint | None = None
    destination: Endpoint | None = None
    node_name: Name = ""
    event_type: EventType | None = None
    trace_observation_point: str | int = ""
    is_reply: bool | None = None
    reply: bool = False
    l7: Layer7 | None = None
    destination_names: list[Domain] | None = None
    egress_denied_by: list[Policy] | None = None
    ingress_denied_by: list[Policy] | None = None
    aggregate: Aggregate | None = None
    source_service: Service | None = None
    destination_service: Service | None = None


class LostEvents(Struct, gc=False, omit_defaults=True):
    """Events that Hubble or the kernel lost before anybody could read them."""

    source: str | int = ""
    num_events_lost: int | str = 0
    first: str = ""
    last: str = ""


class NodeStatus(Struct, gc=False, omit_defaults=True):
    """Relay's word on the nodes it is connected to."""

    state_change: str | int = ""
    node_names: list[Name] = field(default_factory=list)
    message: str = ""


class Heartbeat(Struct, gc=False, omit_defaults=True):
    """Our exporter's promise: no flow older than ``watermark`` follows (RFC 3339).

    ``sequence`` counts from 1 in a run that knows nothing of what came before it, from 2 in one
    that goes on where an earlier one of the same name has ended.
    """

    exporter: Name
    sequence: Count
    watermark: str


class Census(Struct, gc=False, omit_defaults=True):
    """The exporter's count of events per node for one window, all partitions together.

    A partition sees only its own share of a node's events; whether a node fell silent is judged by
    the whole. ``late`` are the flows since the last census that came after their window had closed.
    ``answers`` tells whether any flow of the window was a reply: where a stream holds none, silence
    proves nothing.
    """

    start: str
    nodes: dict[Name, Count] = field(default_factory=dict)
    late: Count = 0
    answers: bool = False


class Responder(Struct, gc=False, omit_defaults=True):
    """A responder reached through the L7 proxy."""

    address: Name
    port: int


class Line(Struct, gc=False, omit_defaults=True):
    """One decoded line: at most one of the members before ``node_name`` is set.

    All absent: an agent or debug event, which tells nothing about traffic.
    """

    flow: Flow | None = None
    lost_events: LostEvents | None = None
    node_status: NodeStatus | None = None
    heartbeat: Heartbeat | None = None
    census: Census | None = None
    proxied: Responder | None = None
    node_name: Name = ""
    time: str = ""


class Wrapper(Struct, gc=False, omit_defaults=True):
    """The names that tell what a line without a known member is; values stay unread."""

    agent_event: Raw = Raw(b"")
    debug_event: Raw = Raw(b"")
    verdict: Raw = Raw(b"")
    IP: Raw = Raw(b"")
    l4: Raw = Raw(b"")
    flow: Raw = Raw(b"")
