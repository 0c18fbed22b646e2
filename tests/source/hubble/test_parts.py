"""Small parts of a flow are parsed once, and remembered within bounds."""

from __future__ import annotations

import pytest
from tests.builders import flow
from tests.source.hubble.honest import encoded

from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Addresses
from hubblewatch.source.hubble import parts
from hubblewatch.source.hubble.parts import MAX_PART_BYTES, Parts, addresses_of
from hubblewatch.source.hubble.proto import flow_pb2
from hubblewatch.source.hubble.response import ResponseReader


def pair(number: int) -> bytes:
    found: bytes = flow_pb2.IP(
        source=f"10.0.0.{number}", destination="10.1.0.1"
    ).SerializeToString()
    return found


def test_the_same_bytes_give_the_same_part() -> None:
    known = Parts(addresses_of)
    assert known[pair(1)] is known[pair(1)]
    assert known[pair(1)] == Addresses("10.0.0.1", "10.1.0.1")
    assert known[pair(2)] == Addresses("10.0.0.2", "10.1.0.1")


def test_too_many_are_forgotten_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 3)
    known = Parts(addresses_of)
    for number in range(10):
        assert known[pair(number)].source == f"10.0.0.{number}"
        assert len(known) <= 3


def test_what_is_large_is_read_and_not_remembered() -> None:
    known = Parts(addresses_of)
    large: bytes = flow_pb2.IP(source="a" * (MAX_PART_BYTES + 1)).SerializeToString()
    assert len(known[large].source) == MAX_PART_BYTES + 1
    assert not known


@pytest.mark.parametrize("field", ["IP", "event_type", "is_reply"])
def test_a_part_that_is_none_makes_the_response_a_reject(field: str) -> None:
    rejects: list[Reject] = []
    reader = ResponseReader("test", rejects.append)
    response = flow_pb2.Flow(**{field: b"\x0a\xff"}).SerializeToString()
    whole = b"\x0a" + bytes([len(response)]) + response
    good = encoded(flow())
    lines, times = reader.read([whole, good])
    assert (len(lines), len(times)) == (1, 1)
    assert [reject.reason for reject in rejects] == [RejectReason.MALFORMED]
