from __future__ import annotations

from typing import Any

import pytest

from hubblewatch.settings import FlowFilterSettings, HubbleSettings
from hubblewatch.source.hubble.proto import flow_pb2, observer_pb2
from hubblewatch.source.hubble.request import FIELDS, flow_filters, flows_request, wants_mask


def request_of(masked: bool = False, **settings: Any) -> observer_pb2.GetFlowsRequest:
    encoded = flows_request(HubbleSettings(**settings), 1_234_567_890_123_456_789, masked)
    return observer_pb2.GetFlowsRequest.FromString(encoded)


def test_flows_are_followed_from_a_time_on_and_hardly_sorted() -> None:
    request = request_of()
    assert (request.follow, request.number, request.first) == (True, 1, False)
    assert (request.since.seconds, request.since.nanos) == (1_234_567_890, 123_456_789)
    assert not request.whitelist
    assert not request.blacklist


def test_a_mask_is_sent_only_if_wanted() -> None:
    assert tuple(request_of(masked=True).field_mask.paths) == FIELDS
    assert not request_of(masked=False).HasField("field_mask")


def test_no_path_of_the_mask_is_below_a_oneof_and_time_and_node_are_named() -> None:
    assert {"time", "node_name", "l4", "l7"} <= set(FIELDS)
    assert not [path for path in FIELDS if path.startswith(("l4.", "l7."))]


def test_every_masked_path_is_a_field_that_is_read() -> None:
    flow = flow_pb2.Flow.DESCRIPTOR.fields_by_name
    assert {path.partition(".")[0] for path in FIELDS} == set(flow) - {"aggregate"}
    endpoint = flow_pb2.Endpoint.DESCRIPTOR.fields_by_name
    assert {path[7:] for path in FIELDS if path.startswith("source.")} == set(endpoint)


def test_what_speaks_of_a_party_may_be_either_but_must_be_one() -> None:
    source, destination = flow_filters(
        FlowFilterSettings(namespaces=("shop",), pods=("web/api",), ports=(80, 443))
    )
    assert list(source.source_pod) == ["shop/", "web/api"]
    assert list(source.source_port) == ["80", "443"]
    assert not source.destination_pod
    assert list(destination.destination_pod) == ["shop/", "web/api"]
    assert list(destination.destination_port) == ["80", "443"]
    assert not destination.source_pod


def test_labels_addresses_and_identities_speak_of_a_party() -> None:
    source, destination = flow_filters(
        FlowFilterSettings(labels=("k8s:app=cart",), ips=("10.0.0.0/8",), identities=(7,))
    )
    assert list(source.source_label) == list(destination.destination_label) == ["k8s:app=cart"]
    assert list(source.source_ip) == list(destination.destination_ip) == ["10.0.0.0/8"]
    assert list(source.source_identity) == list(destination.destination_identity) == [7]


def test_what_speaks_of_the_flow_needs_one_filter() -> None:
    (found,) = flow_filters(
        FlowFilterSettings(
            verdicts=("dropped", "AUDIT"),  # type: ignore[arg-type]
            types=("drop", "policy-verdict", "l7"),
            protocols=("udp",),
            nodes=("worker-*",),
        )
    )
    assert list(found.verdict) == [flow_pb2.DROPPED, flow_pb2.AUDIT]
    assert [kind.type for kind in found.event_type] == [1, 5, 129]
    assert list(found.protocol) == ["udp"]
    assert list(found.node_name) == ["worker-*"]


def test_flows_left_out_are_a_blacklist() -> None:
    request = request_of(without={"namespaces": ["kube-system"]}, only={"verdicts": ["DROPPED"]})
    assert [list(one.source_pod) for one in request.blacklist] == [["kube-system/"], []]
    assert [list(one.verdict) for one in request.whitelist] == [[flow_pb2.DROPPED]]


@pytest.mark.parametrize(
    ("address", "mask", "is_wanted"),
    [
        ("relay:80", "auto", True),
        ("unix:///hubble.sock", "auto", False),
        ("relay:80", "off", False),
        ("unix:///hubble.sock", "on", True),
    ],
)
def test_a_mask_is_wanted_where_it_saves_something(
    address: str, mask: Any, is_wanted: bool
) -> None:
    assert wants_mask(HubbleSettings(address=address, field_mask=mask)) is is_wanted
