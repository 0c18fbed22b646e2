"""Envelopes: bounded by lines, bytes and age, and nothing lost or moved."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Flow, Line
from hubblewatch.kafka.envelope import Envelope, Envelopes


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(count: int, begin: int = 0, padding: int = 0) -> list[Line]:
    return [
        Line(flow=Flow(time=str(number), uuid="x" * padding))
        for number in range(begin, begin + count)
    ]


def times(envelopes: list[Envelope], partition: int = 0) -> list[int]:
    """The numbers of the lines in a partition's envelopes."""
    values = [one.value for one in envelopes if one.partition == partition]
    decoded = [line for value in values for line in decode_lines(value.split(b"\n"), print)]
    return [int(line.flow.time) for line in decoded if line.flow is not None]


def packer(clock: Clock, rejects: list[Reject] | None = None, **bounds: int) -> Envelopes:
    refused: list[Reject] = [] if rejects is None else rejects
    return Envelopes(2, clock, refused.append, **bounds)  # type: ignore[arg-type]


def test_an_envelope_closes_when_it_has_its_lines() -> None:
    envelopes = packer(Clock(), max_lines=5)
    assert envelopes.add([lines(4), []]) == []
    (full,) = envelopes.add([lines(3, 4), []])
    assert (full.partition, full.lines) == (0, 5)
    assert times([full]) == [0, 1, 2, 3, 4]
    assert times(envelopes.flush()) == [5, 6]


def test_many_lines_at_once_fill_several_envelopes() -> None:
    envelopes = packer(Clock(), max_lines=5)
    full = envelopes.add([lines(17), []])
    assert [one.lines for one in full] == [5, 5, 5]
    assert times(full + envelopes.flush()) == list(range(17))


def test_an_envelope_closes_before_it_outgrows_its_bytes() -> None:
    envelopes = packer(Clock(), max_bytes=1_000)
    found = envelopes.add([lines(20, padding=200), []]) + envelopes.flush()
    assert all(len(one.value) < 1_000 for one in found)
    assert 7 <= len(found) <= 10
    assert times(found) == list(range(20))


def test_a_line_that_fits_no_envelope_is_refused_and_the_others_go_on() -> None:
    rejects: list[Reject] = []
    envelopes = packer(Clock(), rejects, max_bytes=1_000)
    found = envelopes.add([[*lines(2), *lines(1, 2, padding=2_000), *lines(2, 3)], []])
    assert times(found + envelopes.flush()) == [0, 1, 3, 4]
    assert [reject.reason for reject in rejects] == ["too-long"]
    assert len(rejects[0].excerpt) == 200


def test_an_envelope_is_due_by_the_age_of_its_first_line() -> None:
    clock = Clock()
    envelopes = packer(clock)
    envelopes.add([lines(1), []])
    clock.now += 0.15
    envelopes.add([lines(1, 1), lines(1)])
    assert envelopes.due() == []
    clock.now += 0.06
    assert [(one.partition, one.lines) for one in envelopes.due()] == [(0, 2)]
    assert envelopes.due() == []
    clock.now += 0.2
    assert [(one.partition, one.lines) for one in envelopes.due()] == [(1, 1)]


def test_an_empty_partition_has_no_envelope() -> None:
    envelopes = packer(Clock())
    envelopes.add([[], lines(1)])
    assert [one.partition for one in envelopes.flush()] == [1]
    assert envelopes.flush() == []


@given(
    st.lists(st.lists(st.integers(0, 400), max_size=12), max_size=12),
    st.integers(1, 6),
    st.integers(600, 2_000),
)
@settings(deadline=None)
def test_every_line_is_in_one_envelope_in_its_order(
    batches: list[list[int]], max_lines: int, max_bytes: int
) -> None:
    envelopes = packer(Clock(), max_lines=max_lines, max_bytes=max_bytes)
    found: list[Envelope] = []
    number = 0
    for batch in batches:
        given_lines = []
        for padding in batch:
            given_lines += lines(1, number, padding)
            number += 1
        found += envelopes.add([given_lines, []])
    found += envelopes.flush()
    assert times(found) == list(range(number))
    assert all(1 <= one.lines <= max_lines and len(one.value) <= max_bytes for one in found)
    assert all(one.lines == one.value.count(b"\n") + 1 for one in found)
