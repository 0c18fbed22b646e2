"""Every shape of line that Hubble, its CLIs and log shippers write."""

from __future__ import annotations

import json

import pytest
from tests.builders import DROP, flow, flow_dict, heartbeat, lost, node_status, pod
from tests.connections import tcp
from tests.running import only, run, windows

from hubblewatch.flow.decode import decode_line, decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line


def decoded(line: bytes) -> Line:
    found = decode_line(line)
    assert isinstance(found, Line), found
    return found


def bare(line: bytes) -> bytes:
    """The flow without its wrapper, as old CLIs wrote it."""
    return json.dumps(json.loads(line)["flow"]).encode()


def masked(line: bytes, *names: str) -> bytes:
    """A flow without some of its members, as a field mask leaves it."""
    content = json.loads(line)
    for name in names:
        content["flow"].pop(name, None)
    return json.dumps(content).encode()


def test_a_wrapped_flow_keeps_its_members() -> None:
    line = decoded(flow(pod("shop/cart-7d9f8c6b5-x2x7z"), flags="SYN", point="TO_ENDPOINT"))
    assert line.flow is not None
    assert line.flow.source is not None
    assert line.flow.source.pod_name == "cart-7d9f8c6b5-x2x7z"
    assert line.flow.source.workloads[0].name == "cart"
    assert line.flow.l4 is not None
    assert line.flow.l4.TCP is not None
    assert line.flow.l4.TCP.destination_port == 8080
    assert line.node_name == "node-a"


def test_a_bare_flow_counts_like_a_wrapped_one() -> None:
    assert windows(map(bare, tcp())) == windows(tcp())


@pytest.mark.parametrize(
    "prefix",
    [
        b"2026-03-02T08:00:00.123456789Z stdout F ",
        b"2026-03-02T08:00:00.123456789+01:00 stderr F ",
        b"2026-03-02T08:00:00Z stdout P ",
        b"  2026-03-02T08:00:00Z stdout F ",
    ],
)
def test_a_cri_prefix_is_passed_over(prefix: bytes) -> None:
    assert windows(prefix + line for line in tcp()) == windows(tcp())


def test_a_bare_flow_may_have_a_cri_prefix() -> None:
    assert decoded(b"2026-03-02T08:00:00Z stdout F " + bare(flow())).flow is not None


def test_lost_events_have_their_count_as_text() -> None:
    line = decoded(lost(3, count=17, source="PERF_EVENT_RING_BUFFER"))
    assert line.lost_events is not None
    assert line.lost_events.num_events_lost == "17"
    assert line.lost_events.source == "PERF_EVENT_RING_BUFFER"


def test_lost_events_may_have_their_count_as_a_number() -> None:
    line = decoded(b'{"lost_events":{"num_events_lost":17},"time":"2026-03-02T08:00:00Z"}')
    assert line.lost_events is not None
    assert line.lost_events.num_events_lost == 17


def test_a_node_status_names_its_nodes() -> None:
    line = decoded(node_status(0, "NODE_GONE", "node-a", "node-b"))
    assert line.node_status is not None
    assert line.node_status.node_names == ["node-a", "node-b"]


def test_a_heartbeat_is_known() -> None:
    line = decoded(heartbeat(7, watermark=3))
    assert line.heartbeat is not None
    assert line.heartbeat.sequence == 7


@pytest.mark.parametrize("member", ["agent_event", "debug_event"])
def test_agent_and_debug_events_are_passed_over(member: str) -> None:
    event = json.dumps({member: {"type": "AGENT_STARTED"}, "node_name": "node-a"}).encode()
    found = run([*tcp(), event])
    assert found.rejects == []
    assert found.windows == windows(tcp())


def test_an_agent_event_among_flows_does_not_disturb_the_batch() -> None:
    lines = tcp()
    lines.insert(3, b'{"agent_event":{"type":"POLICY_UPDATED"},"time":"2026-03-02T08:00:00Z"}')
    assert windows(lines) == windows(tcp())


def test_unknown_fields_are_passed_over_at_every_level() -> None:
    content = json.loads(flow(flags="SYN"))
    content["new"] = {"a": [1, {"b": None}]}
    content["flow"]["newer"] = [[]]
    content["flow"]["source"]["newest"] = {"x": 1e300}
    content["flow"]["l4"]["TCP"]["flags"]["ACCECN"] = True
    content["flow"]["IP"]["flow_label"] = 3
    assert decoded(json.dumps(content).encode()).flow is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "QUARANTINED"),
        ("verdict", 99),
        ("trace_observation_point", "TO_THE_MOON"),
        ("trace_observation_point", 250),
        ("drop_reason_desc", "FRESHLY_INVENTED"),
        ("drop_reason_desc", 9_999),
        ("Type", "L9"),
        ("trace_reason", 77),
    ],
)
def test_unknown_enum_values_are_no_error(name: str, value: str | int) -> None:
    what = {"kind": DROP} if name.startswith("drop") else {}
    found = run([flow(flags="SYN", **what, **{name: value})])  # type: ignore[arg-type]
    assert found.rejects == []
    assert found.windows[0].attempts == 1


@pytest.mark.parametrize(
    ("name", "number"),
    [("FORWARDED", 1), ("DROPPED", 2), ("ERROR", 3), ("AUDIT", 4), ("REDIRECTED", 5)],
)
def test_a_verdict_may_be_a_number(name: str, number: int) -> None:
    named = only([flow(flags="SYN", point="TO_ENDPOINT", verdict=name)])
    numbered = only([flow(flags="SYN", point="TO_ENDPOINT", verdict=number)])
    assert numbered == named


@pytest.mark.parametrize("number", [6, 7])
def test_a_socket_verdict_may_be_a_number(number: int) -> None:
    assert windows([flow(verdict=number, kind=None)]) == []


def test_absent_zero_values_are_zeroes() -> None:
    line = decoded(b'{"flow":{"time":"2026-03-02T08:00:00Z","l4":{"ICMPv4":{}},"source":{}}}')
    assert line.flow is not None
    assert line.flow.l4 is not None
    assert line.flow.l4.ICMPv4 is not None
    assert line.flow.l4.ICMPv4.type == 0


@pytest.mark.parametrize("digits", [0, 3, 6, 9])
def test_times_may_have_any_of_hubbles_fractions(digits: int) -> None:
    content = flow_dict(flags="SYN")
    content["time"] = "2026-03-02T08:00:59" + (f".{'9' * digits}" if digits else "") + "Z"
    window = only([json.dumps({"flow": content}).encode()])
    assert (window.start, window.end) == ("2026-03-02T08:00:00Z", "2026-03-02T08:01:00Z")


def test_a_time_with_an_offset_is_that_of_utc() -> None:
    content = flow_dict(flags="SYN") | {"time": "2026-03-02T10:30:00.5+02:30"}
    assert only([json.dumps({"flow": content}).encode()]).start == "2026-03-02T08:00:00Z"


def test_the_wrappers_time_serves_a_flow_without_one() -> None:
    lines = [masked(line, "time") for line in tcp()]
    assert windows(lines) == windows(tcp())


def test_the_wrappers_node_serves_a_flow_without_one() -> None:
    found = run(masked(line, "node_name") for line in tcp())
    assert found.closed[0].closing.events.keys() == {"node-a"}


@pytest.mark.parametrize(
    "names",
    [
        ("event_type",),
        ("uuid",),
        ("event_type", "uuid", "is_reply", "Type", "trace_observation_point"),
        ("event_type", "uuid", "Type", "node_name"),
    ],
)
def test_a_field_masked_export_counts_the_same_attempts(names: tuple[str, ...]) -> None:
    assert windows(masked(line, *names) for line in tcp()) == windows(tcp())


def test_cluster_names_before_node_names_do_not_matter() -> None:
    lines = [line.replace(b'"node-a"', b'"kind/node-a"') for line in tcp()]
    assert windows(lines) == windows(tcp())


def test_places_are_those_of_the_lines() -> None:
    rejects: list[Reject] = []
    lines = [flow(), b"{", b"", flow(), b'{"flow":7}']
    kept = decode_lines(lines, rejects.append, source="part.jsonl", first=11)
    assert len(kept) == 2
    assert [reject.place for reject in rejects] == ["part.jsonl:12", "part.jsonl:15"]


def test_places_of_foreign_objects_in_a_good_batch_are_those_of_the_lines() -> None:
    rejects: list[Reject] = []
    kept = decode_lines([flow(), b'{"log":"x"}', flow(), b"{}"], rejects.append, first=1)
    assert len(kept) == 2
    assert [reject.place for reject in rejects] == ["-:2", "-:4"]


def test_empty_lines_are_no_rejects() -> None:
    rejects: list[Reject] = []
    assert decode_lines([b"", b"  ", b"\r", b"\t"], rejects.append) == []
    assert rejects == []


def test_a_carriage_return_at_the_end_is_no_error() -> None:
    assert windows(line + b"\r" for line in tcp()) == windows(tcp())


def test_a_byte_order_mark_costs_nothing_but_its_bytes() -> None:
    lines = tcp()
    lines[0] = b"\xef\xbb\xbf" + lines[0]
    assert run(lines).rejects == []


def test_counts_by_verdict_and_by_loss_are_of_known_names_only() -> None:
    lines = [flow(verdict=name) for name in ("DROPPED", 2, "QUARANTINED", 99, "FORWARDED")]
    losses = [lost(at, source=name) for at, name in enumerate(("HUBBLE_RING_BUFFER", "BITBUCKET"))]
    counts = run([*lines, *losses]).pipeline.counts
    assert counts.verdicts == {"DROPPED": 2, "other": 2, "FORWARDED": 1}
    assert counts.lost == {"HUBBLE_RING_BUFFER": 1, "other": 1}
