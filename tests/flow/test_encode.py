"""What is encoded again is Hubble's JSON, shorter, and counts the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import L7, flow, heartbeat, lost, node_status, pod, world
from tests.connections import datagrams, ping, tcp
from tests.proxying import dns, proxied
from tests.running import windows

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, Size, simulate


def refuse(reject: Reject) -> None:
    pytest.fail(str(reject))


def reduced(*lines: bytes) -> list[bytes]:
    return encode_lines(decode_lines(lines, refuse)).splitlines()


def only(line: bytes) -> dict[str, Any]:
    (found,) = reduced(line)
    content: dict[str, Any] = json.loads(found)
    return content


def test_a_recording_and_its_reduced_form_give_the_same_windows() -> None:
    config = SimulationConfig(
        seed=4,
        minutes=5,
        size=Size.SMALL,
        rate=4.0,
        scenarios=(ScenarioSpec.parse("connectivity-errors:at=1"),),
    )
    lines = [line.rstrip(b"\n") for line in simulate(config)]
    shorter = reduced(*lines)
    assert windows(shorter) == windows(lines)
    assert len(windows(lines)) > 20
    assert sum(map(len, shorter)) < 0.6 * sum(map(len, lines))


@given(
    st.lists(
        st.sampled_from(
            [
                tcp(),
                tcp(pod("a/b-0", node="node-b"), world(), at=3, port=443),
                tcp(world(), pod("a/b-0"), at=4, port=443),
                datagrams(at=9, aggregated=False),
                datagrams(at=9, protocol="SCTP", port=36_412),
                ping(at=20),
                proxied(at=61),
                proxied(at=62, code=403),
                dns(at=70, rcode=3),
                [lost(30, 5)],
                [node_status(31, "NODE_ERROR", "node-a")],
                [heartbeat(1, 100)],
                [flow(at=5, aggregate={"egress_flow_count": 3})],
                [flow(at=5, verdict=9, reply=True, drop_reason=133, destination_names=["x.io"])],
            ]
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_every_kind_of_line_says_the_same_when_reduced(groups: list[list[bytes]]) -> None:
    lines = [line for group in groups for line in group]
    assert windows(reduced(*lines)) == windows(lines)


def test_reducing_twice_changes_nothing_more() -> None:
    lines = tcp() + dns() + [lost(1), heartbeat(1, 0)]
    assert reduced(*reduced(*lines)) == reduced(*lines)


def test_a_pods_labels_go_and_those_of_a_reserved_party_stay() -> None:
    content = only(flow(pod(), world()))["flow"]
    assert "labels" not in content["source"]
    assert content["source"]["pod_name"] == "cart-7d9f8c6b5-x2x7z"
    assert content["destination"]["labels"] == ["reserved:world"]


def test_time_and_node_are_written_once() -> None:
    content = only(flow(at=1.5))
    assert set(content) == {"flow"}
    assert content["flow"]["time"] == "2026-03-02T08:00:01.500000000Z"
    assert content["flow"]["node_name"] == "node-a"


def test_a_time_and_node_of_the_wrapper_alone_are_kept() -> None:
    line = json.loads(flow())
    del line["flow"]["time"]
    del line["flow"]["node_name"]
    content = only(json.dumps(line).encode())
    assert content["time"].startswith("2026-03-02T08:00:00")
    assert content["node_name"] == "node-a"


def test_a_reply_flag_that_is_false_is_written() -> None:
    assert only(flow(is_reply=False))["flow"]["is_reply"] is False
    assert "is_reply" not in only(flow())["flow"]


def test_urls_and_header_values_never_leave() -> None:
    http = {
        "method": "GET",
        "url": "http://db/?token=geheim",
        "headers": [{"key": "Authorization", "value": "Bearer geheim"}],
    }
    (line,) = reduced(flow(kind=L7, l7={"type": "REQUEST", "http": http}))
    assert b"geheim" not in line
    assert json.loads(line)["flow"]["l7"]["http"] == {"method": "GET"}
