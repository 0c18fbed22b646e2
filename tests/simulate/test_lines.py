"""Lines as Hubble writes them."""

import itertools
import json
from collections import defaultdict

import pytest

from hubblewatch.simulate import Aggregation
from tests.simulate.recording import Flow, nanoseconds, recording, tuple_of

FLOW_MEMBERS = [
    "time", "uuid", "emitter", "verdict", "drop_reason", "ethernet", "IP", "l4", "source",
    "destination", "Type", "node_name", "source_names", "destination_names", "l7", "event_type",
    "destination_service", "traffic_direction", "policy_match_type", "trace_observation_point",
    "trace_reason", "file", "drop_reason_desc", "is_reply", "interface", "sock_xlate_point",
    "socket_cookie", "cgroup_id", "Summary", "egress_allowed_by", "ingress_allowed_by",
    "egress_denied_by", "ingress_denied_by",
]  # fmt: skip
"""Names from Hubble's protocol, in the order in which its JSON has them."""


def all_flows() -> list[Flow]:
    return list(recording("policy-break", "denied-probe", "node-loss", minutes=5).flows())


def test_every_line_is_one_json_object_with_its_envelope() -> None:
    for line in recording("node-loss", "ring-buffer-loss").lines:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        decoded = json.loads(line)
        (kind,) = set(decoded) - {"node_name", "time"}
        assert kind in ("flow", "lost_events", "node_status")


def test_a_flow_has_only_hubbles_members_in_hubbles_order() -> None:
    for flow in all_flows():
        places = [FLOW_MEMBERS.index(member) for member in flow]
        assert places == sorted(places)


def test_envelope_and_flow_agree_on_node_and_time() -> None:
    for line in recording().lines:
        decoded = json.loads(line)
        if "flow" in decoded:
            assert decoded["node_name"] == decoded["flow"]["node_name"]
            assert decoded["time"] == decoded["flow"]["time"]


def test_no_uuid_comes_twice() -> None:
    uuids = [flow["uuid"] for flow in all_flows()]
    assert len(set(uuids)) == len(uuids)


def test_lines_come_in_time_order_by_default() -> None:
    times = [nanoseconds(json.loads(line)["time"]) for line in recording().lines]
    # A connection may show an event some microseconds before the one that led to it.
    assert all(later - earlier > -2_000_000 for earlier, later in itertools.pairwise(times))


def test_endpoint_id_marks_what_is_local_to_the_reporting_node() -> None:
    node_of: dict[str, set[str]] = defaultdict(set)
    for flow in all_flows():
        for end in (flow["source"], flow["destination"]):
            if "ID" in end and end.get("pod_name"):
                node_of[end["pod_name"] + end["namespace"]].add(flow["node_name"])
                assert end["workloads"]
            else:
                assert "workloads" not in end
    moved = {pod for pod, nodes in node_of.items() if len(nodes) > 1}
    # Only StatefulSet pods keep their name when they move off the lost node.
    assert all(pod.split("-")[-1][0].isdigit() for pod in moved)


def test_drops_and_denials_do_not_say_whether_they_are_replies() -> None:
    denied = [f for f in all_flows() if f["verdict"] == "DROPPED" and f["Type"] == "L3_L4"]
    assert denied
    assert not any("is_reply" in flow for flow in denied)


def test_replies_say_so() -> None:
    replies = [flow for flow in all_flows() if flow.get("trace_reason") == "REPLY"]
    assert replies
    assert all(flow["is_reply"] is True for flow in replies)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_five_tuple_comes_back_within_five_minutes(seed: int) -> None:
    opened: dict[tuple[str, str, int, str, int], list[int]] = defaultdict(list)
    for flow in recording("udp-flood:at=1", seed=seed, minutes=8).flows():
        flags = flow["l4"].get("TCP", {}).get("flags", {})
        if flow["event_type"]["type"] == 4 and flags.get("SYN") and not flags.get("ACK"):
            opened[tuple_of(flow)].append(nanoseconds(flow["time"]))
    for times in opened.values():
        apart = max(times) - min(times)
        # Retransmissions end after 31 s; anything else would be a second use.
        assert apart < 32e9 or apart >= 300e9


def test_level_none_reports_more_than_level_medium() -> None:
    packets = recording(aggregation=Aggregation.NONE)
    assert len(packets.lines) > 1.2 * len(recording().lines)


def test_a_long_connection_shows_every_five_seconds_and_direction() -> None:
    seen: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for flow in recording(minutes=4).flows():
        if flow.get("trace_observation_point") == "TO_ENDPOINT" and "TCP" in flow["l4"]:
            seen[(flow["node_name"], *tuple_of(flow))].append(nanoseconds(flow["time"]))
    longest = max(seen.values(), key=lambda times: times[-1] - times[0])
    gaps = [later - earlier for earlier, later in itertools.pairwise(longest)]
    assert longest[-1] - longest[0] > 60e9
    steady = gaps[4:-2]
    assert min(steady) >= 4.9e9
    assert max(steady) < 12e9
