"""The recipe of a model: which simulated clusters it is fitted on, and how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, ValidationError

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.block import SettingsBlock
from hubblewatch.settings.file import read_settings_file
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, Size
from hubblewatch.simulate.settings import DEFAULT_START, Vantage


class ClusterSpec(SettingsBlock):
    """Some simulated clusters that differ by their seed; ``seeds`` is the first and the last."""

    seeds: tuple[int, int]
    minutes: float = Field(default=90.0, ge=20, le=1_440)
    start: str = DEFAULT_START
    size: Size = Size.MEDIUM
    rate: float | None = Field(default=None, gt=0)
    vantage: Vantage = Vantage.SOURCE
    """What one node reports is enough for the counts, and half the work."""

    scenarios: tuple[str, ...] = ()

    def configs(self) -> Iterator[SimulationConfig]:
        """Give each cluster's simulation."""
        for seed in range(self.seeds[0], self.seeds[1] + 1):
            yield SimulationConfig(
                seed=seed,
                minutes=self.minutes,
                start=self.start,
                size=self.size,
                rate=self.rate,
                vantage=self.vantage,
                scenarios=tuple(ScenarioSpec.parse(text) for text in self.scenarios),
            )


class ForestSpec(SettingsBlock):
    """How the forest is grown."""

    trees: int = Field(default=100, ge=10, le=1_000)
    sample: int = Field(default=512, ge=16, le=8_192)
    """Rows in each tree; scikit-learn's ``max_samples``."""

    seed: int = 1
    scattered: float = Field(default=0.05, ge=0, le=0.5)
    """Rows added, as a share, of which one feature is drawn anew over its whole range. Trees cut
    only where rows differ: without these, what was quiet in training would never be cut."""


class Recipe(SettingsBlock):
    """All that makes a model; nothing is fitted on the clusters of ``calibrate`` and ``check``."""

    name: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")
    alerts_per_day: float = Field(default=0.5, gt=0)
    """Alert budget for 100 subjects."""

    budgets: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
    """Other budgets whose thresholds go into the manifest."""

    forest: ForestSpec = ForestSpec()
    train: tuple[ClusterSpec, ...] = ()
    calibrate: tuple[ClusterSpec, ...] = ()
    check: tuple[ClusterSpec, ...] = ()


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; raise ConfigurationError that names what is wrong in it."""
    values = read_settings_file(path, Recipe)
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("\n  ".join([f"wrong recipe {path}", *wrong])) from None
    if not recipe.train or not recipe.calibrate:
        raise ConfigurationError(f"the recipe {path} needs clusters to train and to calibrate on")
    try:
        for spec in (*recipe.train, *recipe.calibrate, *recipe.check):
            list(spec.configs())
    except ValueError as error:
        raise ConfigurationError(f"wrong recipe {path}: {error}") from None
    return recipe
