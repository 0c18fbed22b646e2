"""Making a model: what is written is what was found, and the same rows give the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from tests.model.building import gathered, quiet_rows, small_model, write_small_model

from hubblewatch.model.fit import scatter
from hubblewatch.model.store import load_model
from hubblewatch.train.card import model_card, score_plot
from hubblewatch.train.make import TrainingError, make_model
from hubblewatch.train.recipe import ForestSpec


def test_the_same_rows_give_the_same_model() -> None:
    again = small_model.__wrapped__()
    assert again.packed == small_model().packed
    assert again.manifest == small_model().manifest


def test_another_seed_gives_another_model() -> None:
    assert small_model(seed=5).manifest.version != small_model().manifest.version


def test_the_manifest_tells_what_it_was_made_from() -> None:
    manifest = small_model().manifest
    assert manifest.training.windows == 2_000
    assert manifest.training.scattered_windows == 100
    assert manifest.training.subjects == 20
    assert manifest.calibration.windows == 2_000
    assert manifest.calibration.subject_days == pytest.approx(2_000 / 1_440, abs=0.01)
    assert set(manifest.libraries) == {"python", "numpy", "scikit-learn", "skops"}


def test_a_day_has_more_windows_where_they_are_shorter() -> None:
    minutes = gathered(2_000, 2)
    halves = structs.replace(
        minutes, spans={number: (30 * number, 30 * (number + 1)) for number in range(100)}
    )
    spec = ForestSpec(trees=20, sample=128)
    made = make_model("short", spec, (), 1.0, [gathered(2_000, 1)], [halves, minutes])
    assert made.manifest.calibration.subject_days == pytest.approx(3_000 / 1_440, abs=0.01)


def test_a_larger_budget_never_has_a_higher_threshold() -> None:
    thresholds = [entry.threshold for entry in small_model().manifest.budgets]
    assert thresholds == sorted(thresholds, reverse=True)


def test_the_loaded_threshold_is_that_of_the_budget(tmp_path: Path) -> None:
    made = write_small_model(tmp_path)
    assert load_model(tmp_path).threshold == made.manifest.threshold


def test_too_few_windows_are_refused_with_what_is_missing() -> None:
    with pytest.raises(TrainingError, match="400 quiet windows to fit"):
        make_model("few", ForestSpec(), (), 1.0, [gathered(400, 1)], [gathered(2_000, 2)])


def test_scattered_rows_differ_in_one_feature_and_stay_in_range() -> None:
    rows = quiet_rows(200)
    made = scatter(rows, 0.5, seed=1)
    assert len(made) == 100
    nearest = [int((rows != row).sum(axis=1).min()) for row in made]
    assert set(nearest) <= {0, 1}
    assert np.isfinite(made).all()


def test_the_card_names_command_threshold_and_every_feature() -> None:
    made = small_model()
    card = model_card(made, "hubblewatch train --out small")
    assert "hubblewatch train --out small" in card
    assert f"{made.manifest.threshold:.4f}" in card
    assert all(f"`{feature.name}`" in card for feature in made.manifest.features)


def test_the_plot_is_drawn_with_the_threshold() -> None:
    plot = score_plot(small_model())
    assert plot.startswith("<svg")
    assert plot.count("<rect") > 10
    assert "threshold" in plot
