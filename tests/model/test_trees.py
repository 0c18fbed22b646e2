"""Why a row is odd: exact, and naming what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from hubblewatch.model.feature import FEATURES, NAMES
from hubblewatch.model.forest import are_joint, families_in, weights_of
from hubblewatch.model.trees import mean_path_length
from tests.model.building import column, planted, quiet_rows, small_forest

ROWS = 200


def test_contributions_and_the_score_tell_the_same_path_length() -> None:
    rows = quiet_rows(ROWS, seed=9)
    forest = small_forest()
    whole = mean_path_length(np.array([forest.estimator.max_samples_]))[0]
    paths = whole - forest.contributions(rows).sum(axis=1)
    assert np.allclose(2 ** (-paths / whole), forest.score(rows), rtol=0, atol=1e-12)


def test_mean_path_length_begins_as_published() -> None:
    assert mean_path_length(np.array([1, 2, 256])) == pytest.approx([0.0, 1.0, 10.2448], abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_planted_feature_comes_first_with_a_positive_sign(name: str) -> None:
    high = FEATURES[column(name)].high
    rows = planted(quiet_rows(ROWS, seed=3), name, 0.6 * high)
    contributions = small_forest().contributions(rows)
    first = contributions.argmax(axis=1) == column(name)
    assert first.mean() >= 0.95
    assert (contributions[first, column(name)] > 0).all()


def test_of_two_planted_features_both_lead() -> None:
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(ROWS):
        one, other = random.choice(len(NAMES), 2, replace=False)
        row = quiet_rows(1, seed=int(random.integers(1_000)))
        for place in (one, other):
            row[0, place] = 0.6 * FEATURES[place].high
        leading = np.argsort(-small_forest().contributions(row)[0])[:2]
        hits += set(leading) == {one, other}
    assert hits >= 0.95 * ROWS


def test_usual_features_do_not_make_a_row_odd() -> None:
    rows = planted(np.zeros((1, len(FEATURES))), "ports", 5.0)
    weights = weights_of(small_forest().contributions(rows))[0]
    assert weights[column("ports")] > 0.8
    assert weights.sum() == pytest.approx(1.0)


def test_one_family_is_not_joint_and_two_are() -> None:
    alone = planted(np.zeros((1, len(FEATURES))), "addresses", 5.0)
    alone = planted(alone, "ports", 5.0)
    together = planted(alone, "failures", 5.0)
    forest = small_forest()
    assert not are_joint(forest.contributions(alone), alone, 2)[0]
    assert are_joint(forest.contributions(together), together, 2)[0]
    assert families_in(forest.contributions(together))[0] == 2


@pytest.mark.parametrize("name", ["volume", "evenness", "mixture"])
def test_what_any_burst_moves_along_makes_nothing_joint(name: str) -> None:
    row = planted(planted(np.zeros((1, len(FEATURES))), "failures", 5.0), name, 5.0)
    assert not are_joint(small_forest().contributions(row), row, 2)[0]


def test_little_beside_a_great_shift_of_proportions_is_not_joint() -> None:
    row = planted(planted(np.zeros((1, len(FEATURES))), "ports", 2.5), "lookup_share", 2.5)
    shifted = planted(planted(row, "mixture", 8.0), "volume", 8.0)
    forest = small_forest()
    assert are_joint(forest.contributions(row), row, 2)[0]
    assert not are_joint(forest.contributions(shifted), shifted, 2)[0]


def test_more_of_a_feature_never_lowers_the_score_by_much() -> None:
    steps = np.linspace(0, 8, 17)
    rows = np.zeros((len(steps), len(FEATURES)))
    rows[:, column("ports")] = steps
    scores = small_forest().score(rows)
    assert scores[-1] > scores[0] + 0.1
    assert np.diff(scores).min() > -0.02
