from __future__ import annotations

from math import expm1

import msgspec
import pytest

from hubblewatch.baseline.anchor import (
    DAILY_GROWTH,
    DAY_WINDOWS,
    EVERY_WINDOWS,
    FIRST_DAY_GROWTH,
    LONG_GROWTH,
    SLACK,
)
from hubblewatch.baseline.estimate import Estimate

_USUAL = 100.0


def settled(days: int) -> Estimate:
    estimate = Estimate()
    for number in range(60 + days * DAY_WINDOWS):
        estimate.learn(_USUAL + (-10, 0, 10)[number % 3])
    return estimate


def learn(estimate: Estimate, windows: int, value: float, weight: float = 1.0) -> None:
    for _ in range(windows):
        estimate.learn(value, weight)


def test_in_its_first_day_it_rises_to_nine_times_at_most() -> None:
    estimate = settled(0)
    learn(estimate, DAY_WINDOWS - 60, 100_000)
    assert estimate.usual == pytest.approx(FIRST_DAY_GROWTH * _USUAL + SLACK, rel=0.1)


def test_after_a_day_it_rises_to_half_as_much_again_at_most() -> None:
    estimate = settled(1)
    learn(estimate, DAY_WINDOWS - 60, 100_000)
    assert estimate.usual == pytest.approx(DAILY_GROWTH * _USUAL + SLACK, rel=0.15)


def test_over_a_week_it_rises_to_three_times_what_it_was_four_days_ago() -> None:
    estimate = settled(7)
    for day in range(3):
        learn(estimate, DAY_WINDOWS, _USUAL * 1.5 ** (day + 1))
    learn(estimate, DAY_WINDOWS // 2, _USUAL * 1.5**4)
    assert estimate.usual <= 1.15 * (LONG_GROWTH * _USUAL + SLACK)


def test_what_was_told_moves_it_on() -> None:
    estimate = settled(1)
    learn(estimate, 2 * DAY_WINDOWS, 1_000, weight=0.1)
    assert estimate.usual > 2 * DAILY_GROWTH * _USUAL


def test_what_was_told_and_lasts_is_learned_to_its_end() -> None:
    estimate = settled(2)
    while estimate.usual < 800:  # from here on a rule would find it usual, mostly
        estimate.learn(1_000, weight=0.1)
    learn(estimate, 240, 1_000)
    assert estimate.usual == pytest.approx(1_000, rel=0.05)


def test_a_days_cycle_is_followed_unhindered() -> None:
    estimate = settled(0)
    for _ in range(3):
        learn(estimate, DAY_WINDOWS // 2, 20)
        learn(estimate, DAY_WINDOWS // 2, 400)
        assert estimate.usual == pytest.approx(400, rel=0.15)


def test_a_drift_is_not_taken_for_scatter() -> None:
    estimate = settled(2)
    before = estimate.scale
    value = _USUAL
    for _ in range(600):
        value *= 1.005
        estimate.learn(value)
    assert estimate.seen_deviation(value) > 4
    assert estimate.scale < 4 * max(before, 0.0625)


def test_an_estimate_of_an_older_state_gets_its_anchor_when_it_learns() -> None:
    older = msgspec.msgpack.encode({"count": 500, "centre": 4.6, "scale": 0.1})
    estimate = msgspec.msgpack.decode(older, type=Estimate)
    assert estimate.anchor is None
    learn(estimate, EVERY_WINDOWS, _USUAL)
    assert estimate.anchor is not None
    assert expm1(estimate.anchor.highest / 64) == pytest.approx(9 * expm1(4.6) + SLACK, rel=0.1)


def test_it_reads_back_as_it_was_written_and_stays_small() -> None:
    estimate = settled(9)
    encoded = msgspec.msgpack.encode(estimate)
    assert msgspec.msgpack.decode(encoded, type=Estimate) == estimate
    assert len(encoded) < 120
