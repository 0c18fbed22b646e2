"""``manifest.json``: what a model is, what it fits, and how it was judged."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from hubblewatch.model.feature import FEATURES, FORMULA_VERSION
from hubblewatch.model.persistence import Persistence

SCHEMA = "hubblewatch.model"
SCHEMA_VERSION = 1
FOREST_FILE = "forest.skops"
MANIFEST_FILE = "manifest.json"
CARD_FILE = "README.md"


class FeatureEntry(Struct, frozen=True):
    """A feature as the model knows it; the order is that of the columns."""

    name: str
    formula: str
    low: float
    high: float


class BudgetEntry(Struct, frozen=True):
    """The threshold that keeps a budget of alerts a day and 100 subjects."""

    alerts_per_day: float
    threshold: float
    episodes: int
    """Alerts on the held-out windows at this threshold."""

    at_most: float = 0.0
    """More alerts a day and 100 subjects than this the held-out windows speak against, whatever the
    tail: the upper Poisson bound of 95 %."""


class TrainingEntry(Struct, frozen=True):
    """What the forest was fitted on; ``first`` and ``last`` are event times."""

    sources: list[str]
    first: str
    last: str
    subjects: int
    windows: int
    scattered_windows: int
    left_out: dict[str, int]


class CalibrationEntry(Struct, frozen=True):
    """What the threshold was found on.

    ``least_budget`` is one alert in what was held out: a smaller budget is an extrapolation.
    ``quantiles`` are of the scores.
    """

    sources: list[str]
    subjects: int
    windows: int
    subject_days: float
    least_budget: float
    quantiles: dict[str, float]


class CheckEntry(Struct, frozen=True):
    """How the forest alone did on one labelled simulation; ``windows_to_detect`` 0 is never."""

    source: str
    windows_to_detect: int
    false_alerts: int
    subject_days: float


class FileEntry(Struct, frozen=True):
    """The forest's file."""

    name: str
    sha256: str
    bytes: int


class Probe(Struct, frozen=True):
    """Rows with the scores that they must have: a forest read wrongly gives others."""

    values: list[list[float]]
    scores: list[float]


class Manifest(Struct, frozen=True, kw_only=True):
    """All about a model but its trees."""

    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION
    name: str
    version: str
    """Begin of the forest file's hash."""
    formula_version: int
    features: list[FeatureEntry]
    trees: int
    sample: int
    seed: int
    threshold: float
    alerts_per_day: float
    budgets: list[BudgetEntry]
    persistence: Persistence
    training: TrainingEntry
    calibration: CalibrationEntry
    checks: list[CheckEntry] = field(default_factory=list)
    file: FileEntry
    probe: Probe
    libraries: dict[str, str]


def feature_entries() -> list[FeatureEntry]:
    """Give the features of this version of the service."""
    return [FeatureEntry(f.name, f.formula, f.low, f.high) for f in FEATURES]


def fits_features(manifest: Manifest) -> bool:
    """Tell whether the model was trained on what this service measures."""
    return manifest.formula_version == FORMULA_VERSION and manifest.features == feature_entries()


def encode_manifest(manifest: Manifest) -> bytes:
    """Give the manifest as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
