"""Windows of several partitions become one order of time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.kafka.window_merge import LEAD_SECONDS, REORDER_SECONDS, WindowMerge
from hubblewatch.window.closed import OUTBOUND, ClosedWindow, Subject, WindowRecord

BEGIN = 1_767_312_000
SIZE = 60


def window(number: int, namespace: str = "shop") -> WindowRecord:
    record = ClosedWindow(Subject(namespace, "cart", OUTBOUND), 0, 0, "c").record()
    return msgspec.structs.replace(record, start=format_seconds(BEGIN + number * SIZE))


def starts(given_out: list[list[WindowRecord]]) -> list[str]:
    return [windows[0].start for windows in given_out]


@given(st.lists(st.lists(st.integers(0, 300), max_size=60), min_size=1, max_size=4), st.data())
def test_every_window_comes_once_and_in_order_whoever_is_read_first(
    partitions: list[list[int]], data: st.DataObject
) -> None:
    merge = WindowMerge(set(range(len(partitions))))
    left = {place: sorted(numbers) for place, numbers in enumerate(partitions)}
    given_out: list[list[WindowRecord]] = []
    while merge.pending:
        place = data.draw(st.sampled_from(sorted(merge.pending - merge.ahead)))
        if left[place]:
            merge.take(place, window(left[place].pop(0), f"ns-{place}"))
        else:
            merge.finish(place)
        given_out += merge.ready()
    assert merge.late == merge.held == 0
    assert starts(given_out) == sorted(set(starts(given_out)))
    assert sum(map(len, given_out)) == sum(map(len, partitions))


def test_a_partition_far_ahead_is_not_to_be_read_until_the_others_follow() -> None:
    merge = WindowMerge({0, 1})
    merge.take(0, window(0))
    merge.take(1, window(LEAD_SECONDS // SIZE + 1))
    assert merge.ahead == {1}
    merge.pass_over(0, BEGIN + 2 * SIZE)
    assert merge.ahead == set()


def test_a_window_out_of_order_within_its_partition_is_put_in_place() -> None:
    merge = WindowMerge({0})
    for number in (1, 0, 5):
        merge.take(0, window(number))
        merged = list(merge.ready())
    assert starts(merged) == [window(0).start, window(1).start]


def test_a_window_of_a_time_that_was_given_already_is_counted_late() -> None:
    merge = WindowMerge({0})
    merge.take(0, window(0))
    merge.take(0, window(REORDER_SECONDS // SIZE + 2))
    assert len(list(merge.ready())) == 1
    merge.take(0, window(0))
    assert merge.late == 1
    assert list(merge.ready()) == []


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="time"):
        WindowMerge({0}).take(0, msgspec.structs.replace(window(0), start="yesterday"))
