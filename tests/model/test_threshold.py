"""The threshold keeps its budget, persistence taken into account."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from hubblewatch.model.persistence import Persistence
from hubblewatch.model.threshold import (
    HeldOut,
    episodes,
    highest_rate,
    peaks,
    persistent_scores,
    threshold_for,
)


def held(scores: list[float], *, joint: list[bool] | None = None, subject: int = 0) -> HeldOut:
    """One subject's scores, window after window."""
    count = len(scores)
    return HeldOut(
        np.array(scores),
        np.array(joint if joint is not None else [True] * count),
        np.arange(count),
        np.full(count, subject),
    )


def test_a_single_odd_window_never_persists() -> None:
    found = persistent_scores(held([0.1, 0.1, 0.9, 0.1, 0.1]), Persistence(odd=3, windows=5))
    assert found.max() == pytest.approx(0.1)


def test_the_third_of_five_odd_windows_persists_with_the_lowest_of_the_three() -> None:
    found = persistent_scores(held([0.9, 0.1, 0.7, 0.1, 0.8]), Persistence(odd=3, windows=5))
    assert found[4] == pytest.approx(0.7)


def test_windows_too_far_apart_do_not_persist() -> None:
    far = HeldOut(np.full(3, 0.9), np.ones(3, bool), np.array([0, 4, 8]), np.zeros(3, int))
    assert persistent_scores(far, Persistence(odd=3, windows=5)).max() == 0


def test_what_is_odd_in_one_way_only_does_not_count() -> None:
    alone = held([0.9] * 5, joint=[False] * 5)
    assert persistent_scores(alone, Persistence()).max() == 0


def test_subjects_do_not_help_each_other() -> None:
    mixed = HeldOut(np.full(3, 0.9), np.ones(3, bool), np.array([0, 0, 0]), np.arange(3))
    assert persistent_scores(mixed, Persistence()).max() == 0


def test_one_long_episode_is_one_alert() -> None:
    windows = held([0.9] * 30)
    persistent = persistent_scores(windows, Persistence())
    assert episodes(persistent, windows, 0.5) == 1


def test_the_threshold_lets_through_what_the_budget_allows() -> None:
    random = np.random.default_rng(2)
    many = HeldOut(
        random.random(144_000), np.ones(144_000, bool),
        np.repeat(np.arange(1_440), 100), np.tile(np.arange(100), 1_440),
    )  # fmt: skip
    low, few = threshold_for(many, Persistence(odd=2, windows=3), 5.0)
    high, fewer = threshold_for(many, Persistence(odd=2, windows=3), 1.0)
    assert 0 < few <= 5
    assert fewer <= 1
    assert low < high


def spread(heights: list[float], days: int) -> HeldOut:
    """Quiet subject days with episodes of such heights, of a subject each."""
    rows = [(0.2, 99, number) for number in range(days * 1_440 - 4 * len(heights))]
    for subject, height in enumerate(heights):
        rows += [(height, subject, number) for number in range(4)]
    scores, subjects, numbers = (np.array(column) for column in zip(*rows, strict=True))
    return HeldOut(scores, scores > 0.2, numbers, subjects)


def exponential(count: int, mean: float) -> list[float]:
    """Heights above 0.4 as an exponential distribution has them."""
    places = (np.arange(count) + 0.5) / count
    return list(0.4 - mean * np.log(1 - places))


def test_a_small_budget_s_threshold_is_where_the_tail_leads() -> None:
    quiet = spread(exponential(20, 0.03), days=10)
    threshold, count = threshold_for(quiet, Persistence(), 0.2)
    # Two a day above 0.4, and 0.002 wanted: a factor of a thousand.
    assert threshold == pytest.approx(0.4 + 0.03 * np.log(1_000), abs=0.02)
    assert count == 0


def test_shorter_windows_are_held_out_for_a_shorter_time() -> None:
    minutes = spread(exponential(20, 0.03), days=10)
    halves = structs.replace(minutes, window_seconds=30.0)
    assert halves.subject_days == minutes.subject_days / 2
    threshold, _ = threshold_for(halves, Persistence(), 0.4)
    assert threshold == threshold_for(minutes, Persistence(), 0.2)[0]


def test_a_short_tail_gives_a_lower_threshold_than_a_long_one() -> None:
    short, _ = threshold_for(spread(exponential(20, 0.01), days=10), Persistence(), 0.2)
    long, _ = threshold_for(spread(exponential(20, 0.05), days=10), Persistence(), 0.2)
    assert short < long - 0.1


def test_the_tail_of_more_windows_without_more_episodes_begins_later() -> None:
    few, _ = threshold_for(spread(exponential(20, 0.03), days=5), Persistence(), 0.2)
    many, _ = threshold_for(spread(exponential(20, 0.03), days=20), Persistence(), 0.2)
    assert few - many == pytest.approx(0.03 * np.log(4), abs=0.005)


def test_episodes_that_touch_are_one_with_the_greatest_height() -> None:
    windows = held([0.6, 0.6, 0.6, 0.7, 0.7, 0.7, *[0.1] * 20, 0.65, 0.65, 0.65])
    persistent = persistent_scores(windows, Persistence())
    assert peaks(persistent, windows, 0.5).tolist() == [0.7, 0.65]


def test_held_out_windows_without_an_episode_put_the_threshold_above_them() -> None:
    calm = held(list(np.linspace(0.1, 0.5, 1_000)), joint=[False] * 1_000)
    threshold, count = threshold_for(calm, Persistence(), 2.0)
    assert (round(threshold, 3), count) == (0.51, 0)


@pytest.mark.parametrize(
    ("count", "mean"), [(0, 2.996), (1, 4.744), (10, 16.962), (1_000, 1_053.603)]
)
def test_the_highest_likely_rate_is_that_of_the_tables(count: int, mean: float) -> None:
    assert highest_rate(count, 1.0) == pytest.approx(mean, abs=0.001)
    assert highest_rate(count, 50.0) == pytest.approx(mean / 50, abs=0.001)


def test_a_budget_below_one_alert_is_above_all_that_was_held_out() -> None:
    windows = held([0.2, 0.5, 0.6, 0.7, 0.2])
    threshold, count = threshold_for(windows, Persistence(), 1.0)
    assert count == 0
    assert threshold > persistent_scores(windows, Persistence()).max()
