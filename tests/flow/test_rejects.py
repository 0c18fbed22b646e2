"""Lines that cannot be used are refused with their reason, and cost nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import flow, flow_dict, heartbeat, lost
from tests.connections import tcp
from tests.running import run, windows

from hubblewatch.flow.decode import MAX_LINE_BYTES, decode_line, decode_lines
from hubblewatch.flow.reject import EXCERPT_BYTES, Reject, RejectReason

GOOD = flow(flags="SYN")


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


BROKEN = [
    pytest.param(GOOD[:-20], RejectReason.MALFORMED, id="truncated"),
    pytest.param(GOOD + b"}", RejectReason.MALFORMED, id="one brace too many"),
    pytest.param(GOOD + GOOD, RejectReason.MALFORMED, id="two in one line"),
    pytest.param(b"hello", RejectReason.MALFORMED, id="text"),
    pytest.param(b"\x1f\x8b\x08\x00", RejectReason.MALFORMED, id="gzip"),
    pytest.param(replaced(b"cart", b"c\xffrt"), RejectReason.MALFORMED, id="invalid UTF-8"),
    pytest.param(replaced(b"shop", b"\xc0\xafop"), RejectReason.MALFORMED, id="overlong UTF-8"),
    pytest.param(replaced(b"cart", b"c\x00rt"), RejectReason.MALFORMED, id="NUL in a string"),
    pytest.param(b"\x00" * 400, RejectReason.MALFORMED, id="a hole in the file"),
    pytest.param(replaced(b"8080", b"NaN"), RejectReason.MALFORMED, id="NaN"),
    pytest.param(replaced(b"8080", b"Infinity"), RejectReason.MALFORMED, id="Infinity"),
    pytest.param(replaced(b"cart", rb"\ud800"), RejectReason.MALFORMED, id="lone surrogate"),
    pytest.param(replaced(b"cart", rb"\udc00\ud800"), RejectReason.MALFORMED, id="swapped pair"),
    pytest.param(replaced(b"8080", b'"8080"'), RejectReason.WRONG_TYPE, id="port as text"),
    pytest.param(replaced(b"8080", b"80.5"), RejectReason.WRONG_TYPE, id="port with a fraction"),
    pytest.param(replaced(b'"SYN":true', b'"SYN":"yes"'), RejectReason.WRONG_TYPE, id="flag"),
    pytest.param(b'{"flow":[]}', RejectReason.WRONG_TYPE, id="flow as a list"),
    pytest.param(b'{"flow":{"time":12345}}', RejectReason.WRONG_TYPE, id="time as a number"),
    pytest.param(b'{"heartbeat":{"sequence":1}}', RejectReason.WRONG_TYPE, id="half a heartbeat"),
    pytest.param(
        b'{"heartbeat":{"exporter":"a","sequence":-1,"watermark":"2026-03-02T08:00:00Z"}}',
        RejectReason.WRONG_TYPE,
        id="a heartbeat before the first",
    ),
    pytest.param(
        b'{"heartbeat":{"exporter":"a","sequence":1%b,"watermark":"2026-03-02T08:00:00Z"}}'
        % (b"0" * 20),
        RejectReason.WRONG_TYPE,
        id="a heartbeat's number that cannot be stored",
    ),
    pytest.param(
        b'{"census":{"start":"2026-03-02T08:00:00Z","nodes":{"node-a":-5}}}',
        RejectReason.WRONG_TYPE,
        id="fewer events than none",
    ),
    pytest.param(
        b'{"census":{"start":"2026-03-02T08:00:00Z","nodes":{"node-a":1%b}}}' % (b"0" * 400),
        RejectReason.WRONG_TYPE,
        id="more events than there can be",
    ),
    pytest.param(
        b'{"census":{"start":"2026-03-02T08:00:00Z","late":1%b}}' % (b"0" * 400),
        RejectReason.WRONG_TYPE,
        id="more late lines than there can be",
    ),
    pytest.param(
        replaced(b'"node_name":"', b'"node_name":"' + b"n" * 600),
        RejectReason.WRONG_TYPE,
        id="node",
    ),
    pytest.param(
        replaced(b'"namespace":"', b'"namespace":"' + b"n" * 600),
        RejectReason.WRONG_TYPE,
        id="namespace",
    ),
    pytest.param(b"[]", RejectReason.WRONG_TYPE, id="a list"),
    pytest.param(b"7", RejectReason.WRONG_TYPE, id="a number"),
    pytest.param(b"null", RejectReason.WRONG_TYPE, id="null"),
    pytest.param(b'"flow"', RejectReason.WRONG_TYPE, id="a string"),
    pytest.param(b"{}", RejectReason.UNKNOWN, id="an empty object"),
    pytest.param(b'{"flow":null}', RejectReason.UNKNOWN, id="a null flow"),
    pytest.param(b'{"level":"info","msg":"x"}', RejectReason.UNKNOWN, id="a log line"),
    pytest.param(
        b'{"flow":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        RejectReason.TOO_DEEP,
        id="nested deeply",
    ),
    pytest.param(
        b'{"flow":{"time":"' + b"x" * MAX_LINE_BYTES + b'"}}', RejectReason.TOO_LONG, id="long"
    ),
]


@pytest.mark.parametrize(("line", "reason"), BROKEN)
def test_a_broken_line_has_its_reason(line: bytes, reason: RejectReason) -> None:
    rejects: list[Reject] = []
    assert decode_lines([line], rejects.append) == []
    assert [reject.reason for reject in rejects] == [reason]


@pytest.mark.parametrize(("line", "reason"), BROKEN)
def test_a_broken_line_costs_only_itself(line: bytes, reason: RejectReason) -> None:
    lines = tcp()
    lines.insert(4, line)
    found = run(lines)
    assert found.windows == windows(tcp())
    assert [reject.place for reject in found.rejects] == ["lines:5"]


@pytest.mark.parametrize(("line", "reason"), BROKEN)
def test_alone_or_in_a_batch_a_line_is_judged_the_same(line: bytes, reason: RejectReason) -> None:
    rejects: list[Reject] = []
    decode_lines([GOOD, line, GOOD], rejects.append)
    found = decode_line(line)
    assert isinstance(found, tuple)
    assert (rejects[0].reason, rejects[0].detail) == found


def test_an_excerpt_is_short() -> None:
    rejects: list[Reject] = []
    decode_lines([b"x" * 10_000], rejects.append)
    assert rejects[0].excerpt == b"x" * EXCERPT_BYTES


@pytest.mark.parametrize(
    "time",
    [
        "",
        "yesterday",
        "-001-03-02T08:00:00Z",
        "-2026-03-02T08:00:00Z",
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2026-13-02T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T08:00Z",
        "2026-03-02",
        "2026-03-02T08:00:61Z",
        "2026-03-02T08:00:00+99:00",
        "٢٠٢٦-03-02T08:00:00Z",
        "\x00",
        "Z",
    ],
)
def test_a_flow_without_a_sensible_time_is_refused(time: str) -> None:
    broken = json.dumps({"flow": flow_dict() | {"time": time}}).encode()
    found = run([*tcp(), broken])
    assert [reject.reason for reject in found.rejects] == [RejectReason.TIME]
    assert found.windows == windows(tcp())


@pytest.mark.parametrize("time", ["", "never", "9999-01-01T00:00:00Z"])
def test_a_loss_without_a_sensible_time_is_refused(time: str) -> None:
    content = json.loads(lost(3)) | {"time": time}
    found = run([*tcp(), json.dumps(content).encode()])
    assert [reject.reason for reject in found.rejects] == [RejectReason.TIME]


def test_a_heartbeat_without_a_sensible_watermark_is_refused() -> None:
    content = json.loads(heartbeat(1, 1))
    content["heartbeat"]["watermark"] = "soon"
    found = run([*tcp(), json.dumps(content).encode()])
    assert [reject.reason for reject in found.rejects] == [RejectReason.TIME]
    assert found.windows == windows(tcp())


@given(st.binary(max_size=300))
def test_no_bytes_raise(line: bytes) -> None:
    rejects: list[Reject] = []
    decode_lines([line, GOOD], rejects.append)
    assert len(rejects) <= 1


@given(st.lists(st.binary(max_size=60) | st.just(GOOD), max_size=8))
def test_good_lines_are_kept_among_any_bytes(lines: list[bytes]) -> None:
    kept = decode_lines(lines, lambda _: None)
    assert sum(line.flow is not None for line in kept) >= lines.count(GOOD)


def json_values() -> st.SearchStrategy[object]:
    names = st.sampled_from(["flow", "time", "l4", "TCP", "IP", "source", "labels", "verdict"])
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


@given(json_values())
def test_no_json_raises(value: object) -> None:
    found = run([json.dumps(value).encode(), json.dumps({"flow": value}).encode(), *tcp()])
    assert found.windows == windows(tcp())
