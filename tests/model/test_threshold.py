"""The threshold keeps its budget, persistence taken into account."""

from __future__ import annotations

import numpy as np
import pytest

from hubblewatch.model.persistence import Persistence
from hubblewatch.model.threshold import (
    HeldOut,
    episodes,
    odd_share,
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


def test_the_share_of_odd_windows_spends_the_budget_by_chance() -> None:
    persistence = Persistence(odd=3, windows=5)
    share = odd_share(persistence, 2.0)
    assert 144_000 * 10 * share**3 == pytest.approx(2.0)


def test_calm_held_out_windows_do_not_lower_the_threshold_without_end() -> None:
    calm = held(list(np.linspace(0.1, 0.5, 1_000)), joint=[False] * 1_000)
    threshold, _ = threshold_for(calm, Persistence(), 2.0)
    assert threshold == pytest.approx(0.5, abs=0.01)


def test_a_budget_below_one_alert_is_above_all_that_was_held_out() -> None:
    windows = held([0.2, 0.5, 0.6, 0.7, 0.2])
    threshold, count = threshold_for(windows, Persistence(), 1.0)
    assert count == 0
    assert threshold > persistent_scores(windows, Persistence()).max()
