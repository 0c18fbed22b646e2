"""The model that comes with the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubblewatch.model.manifest import CARD_FILE
from hubblewatch.model.store import load_model, read_manifest, shipped_model
from hubblewatch.train.recipe import read_recipe

MODELS = Path(__file__).parents[2] / "models"


def shipped() -> Path:
    """Its directory."""
    directory = shipped_model()
    assert directory is not None
    return directory


def test_it_loads_with_these_libraries_and_features() -> None:
    assert load_model(shipped()).name == "default"


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in shipped().iterdir()) < 2_000_000


def test_it_is_what_its_recipe_asks_for() -> None:
    recipe = read_recipe(MODELS / "default.recipe.yaml")
    manifest = read_manifest(shipped())
    assert manifest.name == recipe.name
    assert manifest.alerts_per_day == recipe.alerts_per_day
    assert (manifest.trees, manifest.sample, manifest.seed) == (
        recipe.forest.trees,
        recipe.forest.sample,
        recipe.forest.seed,
    )
    clusters = [
        sum(1 for spec in part for _ in spec.configs())
        for part in (recipe.train, recipe.calibrate, recipe.check)
    ]
    assert clusters == [
        len(manifest.training.sources),
        len(manifest.calibration.sources),
        len(manifest.checks),
    ]


def test_its_card_tells_its_version_and_threshold() -> None:
    manifest = read_manifest(shipped())
    card = (shipped() / CARD_FILE).read_text()
    assert manifest.version in card
    assert f"{manifest.threshold:.4f}" in card


@pytest.mark.parametrize("budget", [0.5, 2.0, 20.0])
def test_it_offers_other_budgets(budget: float) -> None:
    manifest = read_manifest(shipped())
    assert load_model(shipped(), alerts_per_day=budget).threshold <= max(
        entry.threshold for entry in manifest.budgets
    )
