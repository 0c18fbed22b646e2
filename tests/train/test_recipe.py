"""Recipes: what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.train.recipe import read_recipe

SHIPPED = Path(__file__).parents[2] / "models" / "default.recipe.yaml"

CLUSTERS = "train:\n  - {seeds: [1, 2]}\ncalibrate:\n  - {seeds: [3, 3]}\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def test_a_range_of_seeds_is_so_many_clusters(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, CLUSTERS))
    assert [config.seed for spec in recipe.train for config in spec.configs()] == [1, 2]


def test_no_cluster_of_the_shipped_recipe_is_used_for_two_purposes() -> None:
    recipe = read_recipe(SHIPPED)
    parts = (recipe.train, recipe.calibrate, recipe.check)
    seeds = [config.seed for part in parts for spec in part for config in spec.configs()]
    assert len(seeds) == len(set(seeds))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train:\n  - {seeds: [1, 2]}\n", "to train and to calibrate on"),
        (CLUSTERS + "trees: 7\n", "trees: Extra inputs"),
        (CLUSTERS + "forest: {trees: 1}\n", "forest.trees"),
        (CLUSTERS + "name: Not A Name\n", "name"),
        (CLUSTERS.replace("[1, 2]", "[1, 2], scenarios: ['rollout:when=2']"), "rollout:when=2"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_recipe(written(tmp_path, text))
