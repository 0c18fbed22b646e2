"""From rows to a model: fit, threshold, checks, manifest."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from hubblewatch.errors import HubblewatchError
from hubblewatch.model.feature import FORMULA_VERSION
from hubblewatch.model.fit import fit, scatter
from hubblewatch.model.forest import Forest, are_joint
from hubblewatch.model.manifest import (
    FOREST_FILE,
    BudgetEntry,
    CalibrationEntry,
    CheckEntry,
    FileEntry,
    Manifest,
    Probe,
    TrainingEntry,
    feature_entries,
)
from hubblewatch.model.matrix import Flags, Matrix
from hubblewatch.model.persistence import Persistence
from hubblewatch.model.skops_file import write_forest
from hubblewatch.model.threshold import (
    HeldOut,
    episodes,
    highest_rate,
    persistent_scores,
    threshold_for,
)
from hubblewatch.train.gather import Gathered
from hubblewatch.train.recipe import ForestSpec

LEAST_WINDOWS = 500
"""Quiet windows below which a forest would learn chance."""

_PROBE_ROWS = 8
_QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)


class TrainingError(HubblewatchError):
    """What was given is not enough to train on."""


class Made(NamedTuple):
    """A model ready to be written, with held-out scores and training rows for its card."""

    manifest: Manifest
    packed: bytes
    scores: Matrix
    values: Matrix


def make_model(
    name: str,
    spec: ForestSpec,
    budgets: Sequence[float],
    alerts_per_day: float,
    training: Sequence[Gathered],
    calibration: Sequence[Gathered],
    checks: Sequence[Gathered] = (),
) -> Made:
    """Fit on the quiet windows of ``training``, find thresholds on ``calibration``, try ``checks``.

    Raises TrainingError where there are too few windows.
    """
    values = np.vstack([g.rows.values[g.usable] for g in training])
    held_count = sum(int(g.usable.sum()) for g in calibration)
    if min(len(values), held_count) < LEAST_WINDOWS:
        raise TrainingError(
            f"too little to train on: {len(values)} quiet windows to fit and {held_count} to find "
            f"the threshold, and {LEAST_WINDOWS} of each are the least. A window counts when its "
            "subject has a baseline (ten windows), it was seen whole, and no alert is open: give "
            "longer or more recordings"
        )
    scattered = scatter(values, spec.scattered, spec.seed)
    estimator = fit(
        np.vstack([values, scattered]), trees=spec.trees, sample=spec.sample, seed=spec.seed
    )
    packed = write_forest(estimator)
    forest = Forest(estimator)
    persistence = Persistence()
    held = _joined(held_out(forest, g, g.usable, persistence) for g in calibration)
    entries = []
    for budget in sorted({*budgets, alerts_per_day}):
        threshold, count = threshold_for(held, persistence, budget)
        at_most = 100 * highest_rate(count, held.subject_days)
        entries.append(BudgetEntry(budget, threshold, count, round(at_most, 2)))
    threshold = next(e.threshold for e in entries if e.alerts_per_day == alerts_per_day)
    probe = values[np.linspace(0, len(values) - 1, _PROBE_ROWS).astype(int)]
    digest = hashlib.sha256(packed).hexdigest()
    manifest = Manifest(
        name=name,
        version=digest[:12],
        formula_version=FORMULA_VERSION,
        features=feature_entries(),
        trees=spec.trees,
        sample=spec.sample,
        seed=spec.seed,
        threshold=threshold,
        alerts_per_day=alerts_per_day,
        budgets=entries,
        persistence=persistence,
        training=_training(training, len(values), len(scattered)),
        calibration=_calibration(calibration, held),
        checks=[_check(forest, g, threshold, persistence) for g in checks],
        file=FileEntry(FOREST_FILE, digest, len(packed)),
        probe=Probe(probe.tolist(), forest.score(probe).tolist()),
        libraries={
            "python": platform.python_version(),
            **{lib: version(lib) for lib in ("numpy", "scikit-learn", "skops")},
        },
    )
    return Made(manifest, packed, held.scores, values)


def held_out(forest: Forest, gathered: Gathered, keep: Flags, persistence: Persistence) -> HeldOut:
    """Score some of a source's windows as the detector does."""
    values = gathered.rows.values[keep]
    scores = forest.score(values)
    joint = are_joint(forest.contributions(values), values, persistence.families)
    lengths = [end - begin for begin, end in gathered.spans.values()]
    return HeldOut(
        scores, joint, gathered.rows.numbers[keep], gathered.rows.subjects[keep],
        float(np.mean(lengths)) if lengths else 60.0,
    )  # fmt: skip


def _joined(parts: Iterable[HeldOut]) -> HeldOut:
    """Put sources side by side; subjects of different sources stay apart."""
    scores, joint, numbers, subjects = [], [], [], []
    shift = 0
    seconds = 0.0
    for part in parts:
        scores.append(part.scores)
        joint.append(part.joint)
        numbers.append(part.numbers)
        subjects.append(part.subjects + shift)
        shift += int(part.subjects.max(initial=0)) + 1
        seconds += len(part.scores) * part.window_seconds
    together = np.concatenate(scores)
    return HeldOut(
        together, np.concatenate(joint), np.concatenate(numbers), np.concatenate(subjects),
        seconds / max(len(together), 1),
    )  # fmt: skip


def _training(training: Sequence[Gathered], windows: int, scattered: int) -> TrainingEntry:
    left_out: Counter[str] = Counter()
    for gathered in training:
        left_out.update(gathered.left_out)
    return TrainingEntry(
        sources=[gathered.source for gathered in training],
        first=min(gathered.first for gathered in training),
        last=max(gathered.last for gathered in training),
        subjects=_subjects(training),
        windows=windows,
        scattered_windows=scattered,
        left_out=dict(left_out),
    )


def _calibration(calibration: Sequence[Gathered], held: HeldOut) -> CalibrationEntry:
    days = held.subject_days
    return CalibrationEntry(
        sources=[gathered.source for gathered in calibration],
        subjects=_subjects(calibration),
        windows=len(held.scores),
        subject_days=round(days, 2),
        least_budget=round(100 / days, 2),
        quantiles={
            f"{quantile:g}": round(float(np.quantile(held.scores, quantile)), 4)
            for quantile in _QUANTILES
        },
    )


def _check(
    forest: Forest, gathered: Gathered, threshold: float, persistence: Persistence
) -> CheckEntry:
    everything = held_out(
        forest, gathered, np.ones(len(gathered.attacked), dtype=bool), persistence
    )
    persistent = persistent_scores(everything, persistence)
    hits = np.flatnonzero((persistent >= threshold) & gathered.attacked)
    others = np.where(gathered.attacked, 0.0, persistent)
    return CheckEntry(
        source=gathered.source,
        windows_to_detect=int(gathered.rows.numbers[hits[0]]) - gathered.began + 1
        if len(hits)
        else 0,
        false_alerts=episodes(others, everything, threshold),
        subject_days=round(everything.subject_days, 2),
    )


def _subjects(sources: Sequence[Gathered]) -> int:
    return sum(len(np.unique(gathered.rows.subjects)) for gathered in sources)
