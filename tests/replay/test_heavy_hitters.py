from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.replay.heavy_hitters import HeavyHitters


def counted(keys, kept):
    hitters = HeavyHitters(kept)
    for key in keys:
        hitters.add(key, 1)
    return hitters


def test_few_keys_are_counted_exactly():
    hitters = counted("abacab", kept=3)

    assert hitters.top(2) == [("a", 3), ("b", 2)]
    assert hitters.floor == 0


def test_equal_counts_come_in_order_of_first_sight():
    assert counted("ba", kept=2).top(2) == [("b", 1), ("a", 1)]


def test_memory_is_bounded_by_the_kept_keys():
    assert len(counted(range(10_000), kept=10)) <= 20


@given(st.lists(st.integers(0, 30), max_size=300))
def test_no_frequent_key_is_missing_and_no_count_is_too_low(keys):
    hitters = counted(keys, kept=3)
    found = dict(hitters.top(6))

    for key, count in Counter(keys).items():
        if key in found:
            assert count <= found[key] <= count + hitters.floor
        else:
            assert count <= hitters.floor
