"""Growing the forest: one for all subjects, on rows that are unitless."""

from __future__ import annotations

from typing import Any

import numpy as np

from hubblewatch.model.feature import FEATURES
from hubblewatch.model.matrix import Matrix


def scatter(values: Matrix, share: float, seed: int) -> Matrix:
    """Give some rows with one feature each drawn anew over its whole range.

    Trees cut only where rows differ. Most features are 0 in most quiet windows, so that without
    these rows many trees would know no cut of them, and what is odd there would not be seen.
    """
    count = int(len(values) * share)
    if not count:
        return np.zeros((0, values.shape[1]))
    random = np.random.default_rng(seed)
    rows = values[random.integers(0, len(values), count)].copy()
    columns = random.integers(0, len(FEATURES), count)
    low = np.array([feature.low for feature in FEATURES])[columns]
    high = np.array([feature.high for feature in FEATURES])[columns]
    rows[np.arange(count), columns] = low + (high - low) * random.random(count)
    return rows


def fit(values: Matrix, *, trees: int, sample: int, seed: int) -> Any:
    """Fit scikit-learn's estimator; the same rows and seed give the same forest."""
    from sklearn.ensemble import IsolationForest

    estimator = IsolationForest(
        n_estimators=trees, max_samples=min(sample, len(values)), random_state=seed
    )
    return estimator.fit(values)
