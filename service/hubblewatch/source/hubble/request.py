"""The settings' filters as a ``GetFlowsRequest``."""

from __future__ import annotations

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from hubblewatch.settings import FlowFilterSettings, HubbleSettings
from hubblewatch.source.hubble.proto import flow_pb2, observer_pb2

FIELDS = (
    "time",
    "uuid",
    "verdict",
    "drop_reason",
    "drop_reason_desc",
    # Whole: a Hubble that does not know source_xlated would refuse the mask for it.
    "IP",
    # Whole: of paths below a oneof Hubble 1.20 sends what the flow before had.
    "l4",
    "l7",
    *(
        f"{party}.{field}"
        for party in ("source", "destination")
        for field in (
            "ID",
            "identity",
            "namespace",
            "labels",
            "pod_name",
            "workloads",
            "cluster_name",
        )
    ),
    "node_name",
    "event_type",
    "source_service",
    "destination_service",
    "trace_observation_point",
    "is_reply",
    "reply",
    "destination_names",
    "egress_denied_by",
    "ingress_denied_by",
)
"""The fields that are read; without ``time`` and ``node_name`` the envelope lacks them too."""

_EVENT_TYPES = {"drop": 1, "trace": 4, "policy-verdict": 5, "trace-sock": 7, "l7": 129}


def flows_request(settings: HubbleSettings, since_ns: int, masked: bool) -> bytes:
    """Return the encoded request for all flows from ``since_ns`` on and those to come.

    Without ``since`` Hubble keeps the flows of an empty ring to itself until the ring is full.
    ``number`` does not bound a stream that is followed, but Relay sorts no more than so many flows
    of a node before it sends them, instead of a hundred in all, which take half a minute to come
    in a small cluster.
    """
    request = observer_pb2.GetFlowsRequest(
        follow=True,
        number=1,
        since=Timestamp(seconds=since_ns // 1_000_000_000, nanos=since_ns % 1_000_000_000),
        whitelist=flow_filters(settings.only),
        blacklist=flow_filters(settings.without),
    )
    if masked:
        request.field_mask.CopyFrom(FieldMask(paths=FIELDS))
    encoded: bytes = request.SerializeToString()
    return encoded


def wants_mask(settings: HubbleSettings) -> bool:
    """Return whether to ask for the fields only that are read.

    A mask costs an agent about half as much again for each flow, and saves bytes, not time. On a
    socket of the same machine there is nothing to save.
    """
    return settings.field_mask == "on" or (
        settings.field_mask == "auto" and not settings.address.startswith("unix:")
    )


def flow_filters(settings: FlowFilterSettings) -> list[flow_pb2.FlowFilter]:
    """Return filters of which a flow must pass one; none lets all pass."""
    if settings == FlowFilterSettings():
        return []
    pods = [f"{namespace}/" for namespace in settings.namespaces] + list(settings.pods)
    ports = [str(port) for port in settings.ports]
    common: dict[str, Any] = {
        "verdict": list(settings.verdicts),
        "event_type": [
            flow_pb2.EventTypeFilter(type=_EVENT_TYPES[kind]) for kind in settings.types
        ],
        "protocol": list(settings.protocols),
        "node_name": list(settings.nodes),
    }
    if not (pods or ports or settings.labels or settings.ips or settings.identities):
        return [flow_pb2.FlowFilter(**common)]
    parties: list[dict[str, Any]] = [
        {
            f"{party}_pod": pods,
            f"{party}_port": ports,
            f"{party}_label": list(settings.labels),
            f"{party}_ip": list(settings.ips),
            f"{party}_identity": list(settings.identities),
        }
        for party in ("source", "destination")
    ]
    return [flow_pb2.FlowFilter(**common, **party) for party in parties]
