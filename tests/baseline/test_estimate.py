from __future__ import annotations

from math import sin, tau

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.baseline.estimate import (
    ACTIVE_FROM,
    COLD_UNTIL,
    BaselineState,
    Estimate,
)

counts = st.integers(0, 1_000_000)


def estimate_of(values: list[float], weight: float = 1.0) -> Estimate:
    estimate = Estimate()
    for value in values:
        estimate.learn(value, weight)
    return estimate


def test_it_is_cold_then_learning_then_active() -> None:
    states = []
    estimate = Estimate()
    for _ in range(ACTIVE_FROM):
        states.append(estimate.state)
        estimate.learn(10)
    assert states.count(BaselineState.COLD) == COLD_UNTIL
    assert states.count(BaselineState.LEARNING) == ACTIVE_FROM - COLD_UNTIL
    assert estimate.state is BaselineState.ACTIVE


def test_a_constant_is_its_own_usual_value() -> None:
    assert estimate_of([250.0] * 200).usual == pytest.approx(250)


def test_a_burst_among_the_first_values_hardly_moves_the_usual_one() -> None:
    values = [20.0, 22, 19, 5_000, 21, 20, 18, 5_000, 20, 21]
    assert estimate_of(values).usual == pytest.approx(20.5, abs=1)


def test_a_burst_of_ten_windows_moves_a_settled_estimate_by_less_than_a_third() -> None:
    estimate = estimate_of([100, 110, 90, 105, 95] * 60)
    before = estimate.usual
    for _ in range(10):
        estimate.learn(10_000)
    assert estimate.usual < before * 1.33


def test_a_lasting_change_is_learned_within_half_a_day() -> None:
    estimate = estimate_of([100, 110, 90, 105, 95] * 60)
    for _ in range(720):
        estimate.learn(1_000)
    assert estimate.usual == pytest.approx(1_000, rel=0.15)


def test_a_suspicious_change_takes_ten_times_as_long() -> None:
    estimate = estimate_of([100, 110, 90, 105, 95] * 60)
    for _ in range(180):
        estimate.learn(1_000, 0.1)
    assert estimate.usual < 150


def test_it_follows_a_days_cycle() -> None:
    estimate = Estimate()
    day = 1_440
    ratios = []
    for minute in range(3 * day):
        value = 1_000 * (1 + 0.6 * sin(tau * minute / day))
        if minute > day:
            ratios.append(value / estimate.usual)
        estimate.learn(value)
    assert max(ratios) < 2
    assert min(ratios) > 0.4


def test_while_cold_ten_suspicious_values_count_as_one() -> None:
    estimate = estimate_of([1_000.0] * 10, 0.1)
    assert estimate.count == 1
    assert estimate_of([1_000.0] * 99, 0.1).state is BaselineState.COLD
    assert estimate_of([1_000.0] * 100, 0.1).state is BaselineState.LEARNING


def test_a_cold_estimate_keeps_to_what_was_not_suspicious() -> None:
    estimate = estimate_of([3.0, 4, 3])
    for _ in range(9):
        estimate.learn(5_000, 0.1)
    assert estimate.usual == pytest.approx(3)


@pytest.mark.parametrize(("usual", "value"), [(0, 2), (4, 9), (100, 130), (10_000, 10_300)])
def test_what_counting_alone_causes_is_within_three_deviations(usual: int, value: int) -> None:
    assert 0 < estimate_of([float(usual)] * 100).deviation(value) < 3.5


@pytest.mark.parametrize(("usual", "value"), [(0, 8), (4, 30), (100, 200), (10_000, 20_000)])
def test_twice_the_usual_and_more_is_beyond_three_deviations(usual: int, value: int) -> None:
    assert estimate_of([float(usual)] * 100).deviation(value) > 3


@given(st.lists(counts, max_size=200), st.sampled_from([0.1, 1.0]))
def test_it_reads_back_as_it_was_written(values: list[int], weight: float) -> None:
    estimate = estimate_of([float(value) for value in values], weight)
    encoded = msgspec.msgpack.encode(estimate)
    assert msgspec.msgpack.decode(encoded, type=Estimate) == estimate


@given(st.lists(counts, min_size=1, max_size=300))
def test_the_usual_value_lies_within_what_was_seen(values: list[int]) -> None:
    usual = estimate_of([float(value) for value in values]).usual
    assert min(values) - 1e-6 * max(values) <= usual <= max(values) * (1 + 1e-6) + 1e-6


@given(st.lists(counts, max_size=300))
def test_it_keeps_no_more_than_its_first_values(values: list[int]) -> None:
    estimate = estimate_of([float(value) for value in values])
    assert len(estimate.head) < COLD_UNTIL


@given(st.lists(counts, min_size=1, max_size=100), counts, counts)
def test_more_deviates_more(values: list[int], one: int, other: int) -> None:
    estimate = estimate_of([float(value) for value in values])
    low, high = sorted((one, other))
    assert estimate.deviation(low) <= estimate.deviation(high)


@given(st.lists(counts, min_size=1, max_size=100))
def test_the_usual_range_holds_the_usual_value(values: list[int]) -> None:
    estimate = estimate_of([float(value) for value in values])
    low, high = estimate.quantile_range()
    assert 0 <= low <= estimate.usual * (1 + 1e-9) + 1e-9
    assert estimate.usual <= high * (1 + 1e-9)
