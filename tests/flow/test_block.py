"""A block decodes to what its lines decode to one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import flow, heartbeat, lost

from hubblewatch.flow.decode import BLOCK_BYTES, decode_block, decode_envelope, decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line

PIECES = [
    flow(at=1.0),
    flow(at=2.0, verdict="DROPPED"),
    lost(3.0),
    heartbeat(4, 1),
    b"",
    b"  ",
    b"{}",
    b'{"agent_event":{}}',
    b'{"flow":',
    b'{"verdict":"DROPPED","time":"2026-03-02T08:00:00Z"}',
    b"{} {}",
    b"}",
    b"not json",
    b'{"flow":{"time":3}}',
    b"\xff\xfe",
]


def one_by_one(lines: list[bytes]) -> tuple[list[Line], list[Reject]]:
    rejects: list[Reject] = []
    return decode_lines(lines, rejects.append, "a", 1), rejects


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.booleans())
def test_a_block_gives_the_lines_and_rejects_of_its_lines(lines: list[bytes], ends: bool) -> None:
    block = b"\n".join(lines) + (b"\n" if ends else b"")
    rejects: list[Reject] = []
    decoded = decode_block(block, len(lines), rejects.append, "a", 1)
    expected, refused = one_by_one(lines)
    assert [repr_of(line) for line in decoded] == [repr_of(line) for line in expected]
    assert rejects == refused


def repr_of(line: Line) -> tuple[object, ...]:
    # Raw JSON compares by identity; the rest tells lines apart.
    flow_time = line.flow.time if line.flow is not None else None
    return flow_time, line.lost_events, line.heartbeat, line.time


@pytest.mark.parametrize("ends", [True, False])
def test_an_envelope_of_several_blocks_keeps_every_line_and_its_place(ends: bool) -> None:
    lines = [flow(at=float(second)) for second in range(600)]
    lines[100] = b"not json"
    envelope = b"\n".join(lines) + (b"\n" if ends else b"")
    assert len(envelope) > 2 * BLOCK_BYTES
    rejects: list[Reject] = []
    decoded = [line for part in decode_envelope(envelope, rejects.append, "e") for line in part]
    assert len(decoded) == 599
    assert [reject.place for reject in rejects] == ["e:101"]


def test_an_object_that_spans_two_lines_is_no_line() -> None:
    rejects: list[Reject] = []
    assert decode_block(b'{"flow":\n{"time":"2026-03-02T08:00:00Z"}}', 2, rejects.append) == []
    assert len(rejects) == 2
