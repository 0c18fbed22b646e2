"""Bytes of a ``GetFlowsResponse`` to the Line that its JSON form decodes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from hubblewatch.flow.reject import EXCERPT_BYTES, Reject, RejectReason
from hubblewatch.flow.schema import (
    DNS,
    HTTP,
    ICMP,
    Aggregate,
    Endpoint,
    Flow,
    Layer4,
    Layer7,
    Line,
    LostEvents,
    NodeStatus,
    Policy,
    Ports,
    Segment,
    Service,
    Workload,
)
from hubblewatch.source.hubble.parts import (
    Parts,
    addresses_of,
    event_type_of,
    flags_of,
    is_reply_of,
)
from hubblewatch.source.hubble.proto import flow_pb2, observer_pb2, relay_pb2

MAX_ENDPOINTS = 20_000
"""Different endpoints remembered, some 1.5 kB each; beyond, all are forgotten and read again."""

MAX_SECONDS = 1_000
"""Seconds whose text is remembered."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- its text shall have no zone
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, as a protobuf Timestamp allows."""

_parse = observer_pb2.GetFlowsResponse.FromString
_parse_endpoint = flow_pb2.Endpoint.FromString
_encode = msgspec.json.Encoder().encode
_NO_LABELS = Endpoint().labels


class ResponseReader:
    """Reads responses of one stream; each different endpoint or pair of addresses is parsed once.

    A response that cannot be parsed becomes a Reject; never an exception, whatever the bytes.
    """

    def __init__(self, place: str, on_reject: Callable[[Reject], None]) -> None:
        self._place = place
        self._on_reject = on_reject
        self._endpoints: dict[bytes, _EndpointFields] = {}
        self._addresses = Parts(addresses_of)
        self._event_types = Parts(event_type_of)
        self._flags = Parts(flags_of)
        self._is_reply = Parts(is_reply_of)
        self._seconds: dict[int, str] = {}

    def read(self, responses: Iterable[bytes]) -> tuple[list[Line], list[int]]:
        """Give the lines of some responses, in order, and their event times in nanoseconds."""
        lines = []
        times_ns = []
        for response in responses:
            try:
                parsed = _parse(response)
                stamp = parsed.time
                seconds, nanos = stamp.seconds, stamp.nanos
                lines.append(self._line(parsed, seconds, nanos))
                times_ns.append(seconds * 1_000_000_000 + nanos)
            except (DecodeError, ValueError) as error:
                self._on_reject(
                    Reject(
                        RejectReason.MALFORMED,
                        self._place,
                        f"not a Hubble response: {error}",
                        response[:EXCERPT_BYTES],
                    )
                )
        return lines, times_ns

    def _line(self, response: observer_pb2.GetFlowsResponse, seconds: int, nanos: int) -> Line:
        when = self._time(seconds, nanos) if seconds or nanos or response.HasField("time") else ""
        node_name = response.node_name
        # Asked by itself: WhichOneof costs twice as much, and nearly all are flows.
        if response.HasField("flow"):
            flow = response.flow
            stamp = flow.time
            if stamp.seconds == seconds and stamp.nanos == nanos and when:
                flow_time = when if seconds or nanos or flow.HasField("time") else ""
            else:
                flow_time = self._stamp(stamp) if flow.HasField("time") else ""
            return Line(flow=self._flow(flow, flow_time), node_name=node_name, time=when)
        kind = response.WhichOneof("response_types")
        if kind == "lost_events":
            return Line(
                lost_events=self._lost_events(response.lost_events), node_name=node_name, time=when
            )
        if kind == "node_status":
            status = response.node_status
            return Line(
                node_status=NodeStatus(
                    _NODE_STATES.get(status.state_change, status.state_change),
                    list(status.node_names),
                    status.message,
                ),
                node_name=node_name,
                time=when,
            )
        return Line(node_name=node_name, time=when)

    def _flow(self, flow: flow_pb2.Flow, when: str) -> Flow:
        has = flow.HasField
        verdict = flow.verdict
        point = flow.trace_observation_point
        reason = flow.drop_reason_desc
        addresses = flow.IP
        event_type = flow.event_type
        is_reply = flow.is_reply
        destination_names = flow.destination_names
        egress_denied_by = flow.egress_denied_by
        ingress_denied_by = flow.ingress_denied_by
        return Flow(
            when,
            flow.uuid,
            _VERDICTS.get(verdict, verdict),
            flow.drop_reason,
            _DROP_REASONS.get(reason, reason),
            self._addresses[addresses] if addresses or has("IP") else None,
            self._layer4(flow.l4) if has("l4") else None,
            self._endpoint(flow.source) if has("source") else None,
            self._endpoint(flow.destination) if has("destination") else None,
            flow.node_name,
            self._event_types[event_type] if event_type or has("event_type") else None,
            _POINTS.get(point, point),
            self._is_reply[is_reply] if is_reply or has("is_reply") else None,
            flow.reply,
            _layer7(flow.l7) if has("l7") else None,
            list(destination_names) if destination_names else None,
            [_policy(policy) for policy in egress_denied_by] if egress_denied_by else None,
            [_policy(policy) for policy in ingress_denied_by] if ingress_denied_by else None,
            _aggregate(flow.aggregate) if has("aggregate") else None,
            _service(flow.source_service) if has("source_service") else None,
            _service(flow.destination_service) if has("destination_service") else None,
        )

    def _endpoint(self, encoded: bytes) -> Endpoint:
        """Give an endpoint of its own each time: what follows may reduce it in place."""
        fields = self._endpoints.get(encoded)
        if fields is None:
            if len(self._endpoints) >= MAX_ENDPOINTS:
                self._endpoints.clear()
            fields = self._endpoints[encoded] = _endpoint_fields(_parse_endpoint(encoded))
        return Endpoint(*fields)

    def _layer4(self, l4: flow_pb2.Layer4) -> Layer4:
        if l4.HasField("TCP"):
            tcp = l4.TCP
            flags = tcp.flags
            return Layer4(
                TCP=Segment(
                    tcp.source_port,
                    tcp.destination_port,
                    self._flags[flags] if flags or tcp.HasField("flags") else None,
                )
            )
        match l4.WhichOneof("protocol"):
            case "UDP":
                return Layer4(UDP=Ports(l4.UDP.source_port, l4.UDP.destination_port))
            case "ICMPv4":
                return Layer4(ICMPv4=ICMP(l4.ICMPv4.type, l4.ICMPv4.code))
            case "ICMPv6":
                return Layer4(ICMPv6=ICMP(l4.ICMPv6.type, l4.ICMPv6.code))
            case "SCTP":
                return Layer4(SCTP=Ports(l4.SCTP.source_port, l4.SCTP.destination_port))
        return Layer4()

    def _lost_events(self, lost: flow_pb2.LostEvent) -> LostEvents:
        return LostEvents(
            _LOSS_SOURCES.get(lost.source, lost.source),
            _text_of(lost.num_events_lost),
            self._stamp(lost.first) if lost.HasField("first") else "",
            self._stamp(lost.last) if lost.HasField("last") else "",
        )

    def _stamp(self, stamp: Timestamp) -> str:
        return self._time(stamp.seconds, stamp.nanos)

    def _time(self, seconds: int, nanos: int) -> str:
        """Give RFC 3339 with 0, 3, 6 or 9 fractional digits, as protojson does."""
        text = self._seconds.get(seconds)
        if text is None:
            if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
                raise ValueError(f"no time: {seconds} s")
            if len(self._seconds) >= MAX_SECONDS:
                self._seconds.clear()
            text = self._seconds[seconds] = (_EPOCH + timedelta(seconds=seconds)).isoformat()
        if not nanos:
            return text + "Z"
        if not 0 < nanos < 1_000_000_000:
            raise ValueError(f"no time: {nanos} ns")
        if nanos % 1000:
            return f"{text}.{nanos:09d}Z"
        if nanos % 1_000_000:
            return f"{text}.{nanos // 1000:06d}Z"
        return f"{text}.{nanos // 1_000_000:03d}Z"


_EndpointFields = tuple[int, int, str, str, msgspec.Raw, tuple[Workload, ...], str]


def _endpoint_fields(endpoint: flow_pb2.Endpoint) -> _EndpointFields:
    labels = endpoint.labels
    return (
        endpoint.ID,
        endpoint.identity,
        endpoint.namespace,
        endpoint.pod_name,
        msgspec.Raw(_encode(list(labels))) if labels else _NO_LABELS,
        tuple(Workload(workload.name, workload.kind) for workload in endpoint.workloads),
        endpoint.cluster_name,
    )


def _layer7(l7: flow_pb2.Layer7) -> Layer7:
    dns = http = None
    match l7.WhichOneof("record"):
        case "dns":
            dns = DNS(l7.dns.query, l7.dns.rcode, tuple(l7.dns.qtypes))
        case "http":
            http = HTTP(l7.http.code, l7.http.method)
    return Layer7(_L7_TYPES.get(l7.type, l7.type), dns, http)


def _policy(policy: flow_pb2.Policy) -> Policy:
    return Policy(policy.name, policy.namespace, policy.kind)


def _service(service: flow_pb2.Service) -> Service:
    return Service(service.name, service.namespace)


def _aggregate(aggregate: flow_pb2.Aggregate) -> Aggregate:
    return Aggregate(
        aggregate.ingress_flow_count,
        aggregate.egress_flow_count,
        aggregate.unknown_direction_flow_count,
    )


def _text_of(number: int) -> str | int:
    """Give a 64-bit number as protojson does: as text, and zero not at all."""
    return str(number) if number else 0


def _names(enum: EnumTypeWrapper) -> dict[int, str]:
    """Give an enum's names by number; zero, which protojson leaves out, as none."""
    return {number: name if number else "" for name, number in enum.items()}


_VERDICTS = _names(flow_pb2.Verdict)
_POINTS = _names(flow_pb2.TraceObservationPoint)
_DROP_REASONS = _names(flow_pb2.DropReason)
_L7_TYPES = _names(flow_pb2.L7FlowType)
_LOSS_SOURCES = _names(flow_pb2.LostEventSource)
_NODE_STATES = _names(relay_pb2.NodeState)
