"""A fitted forest at work: scores of all rows in one call, and the reasons for a few."""

from __future__ import annotations

from typing import Any

import numpy as np

from hubblewatch.model.feature import ACCOMPANYING, FAMILIES, FEATURES, NOTHING
from hubblewatch.model.matrix import Flags, Matrix
from hubblewatch.model.trees import Trees

FAMILY_SHARE = 0.15
"""A family takes part in a row's oddness from this share on."""

TELLING_SHARE = 0.5
"""The families that say something alone bear so much of the oddness, together: a release that
calls a new partner often changes proportions and load, and hardly anything else."""

_TELLING = np.array([family not in ACCOMPANYING for family in FAMILIES])
_FAMILY_OF = np.array([FAMILIES.index(feature.family) for feature in FEATURES])
_IS_TELLING = np.array([feature.family not in ACCOMPANYING for feature in FEATURES])


class Forest:
    """Wraps scikit-learn's estimator; a score lies in 0..1, higher is odder."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self._trees = Trees([tree.tree_ for tree in estimator.estimators_], len(FEATURES))

    def score(self, values: Matrix) -> Matrix:
        """Give the score of each row, all in one batch."""
        if not len(values):
            return np.zeros(0)
        return -np.asarray(self.estimator.score_samples(values), dtype=np.float64)

    def contributions(self, values: Matrix) -> Matrix:
        """Give how much each feature made each row odd; see ``Trees``."""
        return self._trees.contributions(values)


def weights_of(contributions: Matrix) -> Matrix:
    """Give each feature's share of what made a row odd, 0..1; a row adds up to 1, or is all 0."""
    odd = np.maximum(contributions, 0.0)
    total = odd.sum(axis=1, keepdims=True)
    return odd / np.where(total > 0, total, 1.0)


def families_in(contributions: Matrix) -> Matrix:
    """Give for each row how many families take part in its oddness and say something alone."""
    shares = weights_of(contributions)
    by_family = np.zeros((len(shares), len(FAMILIES)))
    for column, family in enumerate(_FAMILY_OF):
        by_family[:, family] += shares[:, column]
    taking_part = (by_family >= FAMILY_SHARE) & _TELLING
    return np.asarray(taking_part.sum(axis=1), dtype=np.float64)


def are_joint(contributions: Matrix, values: Matrix, families: int) -> Flags:
    """Tell which rows are odd in several families at once, those that only accompany aside.

    A family takes part by its share and by deviating at all: a cut at a usual value is chance.
    """
    deviating = np.where(np.abs(values) > NOTHING, contributions, 0.0)
    telling = weights_of(deviating)[:, _IS_TELLING].sum(axis=1)
    return np.asarray((families_in(deviating) >= families) & (telling >= TELLING_SHARE), dtype=bool)
