"""The systems that are compared, each a set of detectors over a pipeline of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.isolation_forest import IsolationForest
from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.evaluate.baselines import FixedThresholds, RobustZ
from hubblewatch.model.loaded import FixedModel, LoadedModel
from hubblewatch.settings import Settings

FULL, RULES, ROBUST_Z, FOREST = "full", "rules only", "robust z only", "forest only"
FIXED, RAW_FOREST = "fixed thresholds", "forest on raw flows"

SYSTEMS = (FULL, RULES, FOREST, ROBUST_Z, FIXED, RAW_FOREST)
"""In the order of the tables; the last two are what is found elsewhere."""


class System(Struct, frozen=True):
    """A name and how its detectors are made."""

    name: str
    detectors: Callable[[], list[Detector]]
    parents: Mapping[str, frozenset[str]]


def pipeline_systems(settings: Settings, model: LoadedModel) -> list[System]:
    """Give the systems that are detectors; the model counts as active, whatever its settings."""
    models = FixedModel(model)
    forest = settings.detectors.isolation_forest
    return [
        System(FULL, lambda: build_detectors(settings.detectors, models), PARENTS),
        System(RULES, lambda: build_detectors(settings.detectors), PARENTS),
        System(FOREST, lambda: [IsolationForest(forest, models)], {}),
        System(ROBUST_Z, lambda: [RobustZ()], {}),
        System(FIXED, lambda: [FixedThresholds()], {}),
    ]
