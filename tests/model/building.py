"""Rows of quiet windows as they look, a forest grown on them, and model directories."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from hubblewatch.model.feature import FEATURES, NAMES
from hubblewatch.model.fit import fit, scatter
from hubblewatch.model.forest import Forest
from hubblewatch.model.loaded import LoadedModel
from hubblewatch.model.matrix import Matrix
from hubblewatch.model.store import save_model
from hubblewatch.train.collect import Rows
from hubblewatch.train.gather import Gathered
from hubblewatch.train.make import Made, make_model
from hubblewatch.train.recipe import ForestSpec
from tests.builders import START

SUBJECTS = 20


def column(name: str) -> int:
    """Give the place of a feature."""
    return NAMES.index(name)


def quiet_rows(count: int, seed: int = 1) -> Matrix:
    """Windows in which little happens: volume and ports move, failures are rare."""
    random = np.random.default_rng(seed)
    rows = np.zeros((count, len(FEATURES)))
    for name in ("volume", "ports", "addresses", "namespaces"):
        rows[:, column(name)] = np.maximum(random.normal(-0.2, 0.6, count), 0)
    for name in ("failures", "denials"):
        rare = random.random(count) < 0.03
        rows[:, column(name)] = rare * random.uniform(0.5, 2.0, count)
    for name in ("udp_share", "lookup_share", "new_edge_share", "external_share", "mixture"):
        rare = random.random(count) < 0.02
        rows[:, column(name)] = rare * random.uniform(0.0, 1.5, count)
    rows[:, column("evenness")] = random.normal(0.0, 0.6, count)
    return rows


def planted(rows: Matrix, name: str, value: float) -> Matrix:
    """Give the rows with one feature set."""
    changed = rows.copy()
    changed[:, column(name)] = value
    return changed


@cache
def small_forest() -> Forest:
    """A forest of the shipped model's size, grown on quiet rows."""
    rows = quiet_rows(4_000)
    rows = np.vstack([rows, scatter(rows, 0.05, 1)])
    return Forest(fit(rows, trees=100, sample=512, seed=1))


def loaded(threshold: float = 0.5, *, shadow: bool = False) -> LoadedModel:
    """A model with that forest."""
    return LoadedModel("small", "0123456789ab", small_forest(), threshold, shadow)


def gathered(count: int, seed: int) -> Gathered:
    """Quiet rows as if collected: twenty subjects, minute after minute."""
    numbers = np.repeat(np.arange(count // SUBJECTS), SUBJECTS)
    subjects = np.tile(np.arange(SUBJECTS), count // SUBJECTS)
    rows = Rows(quiet_rows(len(numbers), seed), numbers, subjects, np.ones(len(numbers), bool))
    spans = {n: (START + 60 * n, START + 60 * (n + 1)) for n in range(count // SUBJECTS)}
    nothing = np.zeros(len(numbers), bool)
    return Gathered(f"rows {seed}", rows, nothing, -1, spans, {"cold": Counter()})


@cache
def small_model(seed: int = 1) -> Made:
    """A model made as ``train`` makes one, with few trees."""
    spec = ForestSpec(trees=20, sample=128, seed=seed)
    return make_model(
        "small", spec, (5.0, 20.0), 10.0, [gathered(2_000, seed)], [gathered(2_000, seed + 1)]
    )


def write_small_model(directory: Path, seed: int = 1) -> Made:
    """Write that model."""
    made = small_model(seed)
    save_model(directory, made.manifest, made.packed, {})
    return made
