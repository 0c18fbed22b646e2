from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import flow, lost, node_status
from tests.source.hubble.honest import Response, as_json, encoded

from hubblewatch.flow.decode import decode_line
from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.source.hubble import response
from hubblewatch.source.hubble.response import ResponseReader

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "hubble-otel"
TEXTS = ("", "shop", 'a"b\\c', "\u00e9\u4e2d\U0001f600\x01", "k8s:app=cart")


def read(*responses: bytes) -> list[Line]:
    rejects: list[Reject] = []
    lines, _ = ResponseReader("test", rejects.append).read(responses)
    assert not rejects
    return lines


def from_json(line: bytes) -> Line:
    decoded = decode_line(line)
    assert isinstance(decoded, Line)
    return decoded


def told(line: Line) -> Any:
    """All that a line says; labels, which it keeps as they came, without regard to spaces."""
    return json.loads(msgspec.json.encode(line))


def as_hubble_writes(line: bytes) -> Any:
    """What a line says once Hubble has written it, with its number of fractional digits."""
    return told(from_json(as_json(encoded(line))))


def fill(message: Any, random: Random) -> Any:
    """Set some fields of a message to values of their kind, numbers of unknown enums among them."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        message.seconds = random.randint(-62_135_596_800, 253_402_300_799)
        message.nanos = random.choice((0, 5_000_000, 123_000, 999_999_999, 1))
        return message
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.4:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if field.is_repeated:
                for _ in range(random.randint(0, 2)):
                    fill(getattr(message, field.name).add(), random)
            else:
                inner = getattr(message, field.name)
                inner.SetInParent()
                fill(inner, random)
        elif field.is_repeated:
            getattr(message, field.name).extend(random.choices(TEXTS, k=random.randint(0, 3)))
        else:
            setattr(message, field.name, value_of(field, random))
    return message


def value_of(field: FieldDescriptor, random: Random) -> Any:
    match field.type:
        case FieldDescriptor.TYPE_ENUM:
            known = list(field.enum_type.values_by_number)
            return random.choice([*known, max(known) + 7])
        case FieldDescriptor.TYPE_STRING:
            return random.choice(TEXTS)
        case FieldDescriptor.TYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.TYPE_UINT64:
            return random.choice((0, 7, 2**63))
        case FieldDescriptor.TYPE_INT32:
            return random.choice((0, 4, 129, -1))
    return random.choice((0, 80, 65_535, 2**32 - 1))


@given(st.integers(0, 2**64))
def test_any_response_is_the_line_that_its_json_form_is(seed: int) -> None:
    message = fill(Response(), Random(seed)).SerializeToString()
    (line,) = read(message)
    # An empty response has no JSON form that is Hubble's; it says nothing either way.
    if told(line).keys() & {"flow", "lost_events", "node_status"}:
        assert told(line) == told(from_json(as_json(message)))


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the recordings are not on this machine")
def test_recorded_flows_are_the_same_lines_from_the_wire_and_from_json() -> None:
    lines = [
        line
        for path in sorted(RECORDINGS.glob("*.json"))
        for line in path.read_bytes().splitlines()
        if line.strip()
    ]
    assert len(lines) > 1_000
    assert read(*map(encoded, lines)) == list(map(from_json, lines))


def test_built_lines_are_the_same_from_the_wire_and_from_json() -> None:
    lines = [flow(), lost(5.0), node_status(6.0, "NODE_ERROR", "node-a", "node-b")]
    assert list(map(told, read(*map(encoded, lines)))) == list(map(as_hubble_writes, lines))


def test_event_times_come_as_nanoseconds() -> None:
    lines = [flow(at=1.25), lost(5.0)]
    _, times = ResponseReader("test", pytest.fail).read(map(encoded, lines))
    assert times == [parse_ns(from_json(line).time) for line in lines]


@given(st.binary(max_size=200))
def test_no_bytes_raise(content: bytes) -> None:
    rejects: list[Reject] = []
    lines, times = ResponseReader("test", rejects.append).read([content])
    assert len(lines) == len(times) == 1 - len(rejects)


@given(st.integers(0, 2**64), st.data())
def test_no_damage_of_a_response_raises(seed: int, data: st.DataObject) -> None:
    content = bytearray(encoded(flow()))
    random = Random(seed)
    for _ in range(random.randint(1, 5)):
        content[random.randrange(len(content))] = random.randrange(256)
    rejects: list[Reject] = []
    lines, _ = ResponseReader("test", rejects.append).read([bytes(content)])
    assert len(lines) + len(rejects) == 1


def test_what_is_no_response_is_rejected_with_its_place() -> None:
    rejects: list[Reject] = []
    ResponseReader("relay:80", rejects.append).read([b"\xff\xff"])
    assert [(reject.reason, reject.place) for reject in rejects] == [
        (RejectReason.MALFORMED, "relay:80")
    ]


def test_a_line_that_is_reduced_leaves_the_next_of_the_same_endpoint_whole() -> None:
    reader = ResponseReader("test", pytest.fail)
    message = encoded(flow())
    (first,), _ = reader.read([message])
    assert first.flow is not None
    assert first.flow.source is not None
    first.flow.source.labels = msgspec.Raw(b"")
    first.flow.source.pod_name = "other"
    (second,), _ = reader.read([message])
    assert told(second) == as_hubble_writes(flow())


def test_endpoints_beyond_the_bound_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "MAX_ENDPOINTS", 1)
    lines = [flow(at=float(at)) for at in range(3)]
    assert list(map(told, read(*map(encoded, lines)))) == list(map(as_hubble_writes, lines))
