from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.source.hubble.loss import MAX_PIECES, RECENT_NS, Jumps, format_ns, lines_of_loss

SECOND = 1_000_000_000
NOON = 1_795_521_600 * SECOND


@given(st.integers(1, 10**9), st.integers(0, 10_000 * SECOND))
def test_the_pieces_of_a_loss_add_up_within_its_time(count: int, span: int) -> None:
    lines = lines_of_loss("node-a", "HUBBLE_RING_BUFFER", count, NOON, NOON + span)
    times = [parse_ns(line.time) for line in lines]
    numbers = [int(line.lost_events.num_events_lost) for line in lines if line.lost_events]
    assert sum(numbers) == count
    assert min(numbers) > 0
    assert times == sorted(times)
    assert times[0] >= NOON
    assert times[-1] == NOON + span
    assert len(lines) <= MAX_PIECES


def test_a_loss_over_minutes_is_told_in_each_of_them() -> None:
    lines = lines_of_loss("node-a", "stream-gap", 600, NOON, NOON + 300 * SECOND)
    assert {line.time[:16] for line in lines} == {
        format_ns(NOON + 60 * SECOND * i)[:16] for i in range(6)
    }


def test_the_largest_recent_jump_before_the_report_explains_it() -> None:
    jumps = Jumps()
    jumps.note(NOON, NOON + SECOND)
    jumps.note(NOON + 2 * SECOND, NOON + 5 * SECOND)
    jumps.note(NOON + 6 * SECOND, NOON + 20 * SECOND)
    assert jumps.take_largest(NOON + 8 * SECOND) == (NOON + 2 * SECOND, NOON + 5 * SECOND)
    assert jumps.take_largest(NOON + 60 * SECOND) is None


def test_jumps_of_long_ago_are_forgotten() -> None:
    jumps = Jumps()
    jumps.note(NOON, NOON + 20 * SECOND)
    jumps.turn(NOON + RECENT_NS)
    jumps.turn(NOON + 2 * RECENT_NS)
    assert jumps.take_largest(NOON + 100 * SECOND) is None


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=50))
def test_the_largest_jump_is_kept_however_many_there_are(sizes: list[int]) -> None:
    jumps = Jumps()
    time = NOON
    for size in sizes:
        if size > jumps.floor_ns:
            jumps.note(time, time + size)
        time += size
    found = jumps.take_largest(time)
    assert found is not None
    assert found[1] - found[0] == max(sizes)
