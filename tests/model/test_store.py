"""Model directories: read back as written, and refused with a remedy where anything is off."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hubblewatch.model.directory import ModelDirectory
from hubblewatch.model.fit import fit
from hubblewatch.model.forest import Forest
from hubblewatch.model.manifest import FOREST_FILE, MANIFEST_FILE
from hubblewatch.model.skops_file import ForestFileError, read_forest, write_forest
from hubblewatch.model.store import (
    ModelError,
    find_model,
    load_model,
    read_manifest,
)
from tests.model.building import quiet_rows, small_model, write_small_model


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def rewritten(directory: Path, **changes: object) -> None:
    """Change fields of a manifest."""
    path = directory / MANIFEST_FILE
    manifest = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(manifest | changes))


def with_forest(directory: Path, packed: bytes) -> None:
    """Put another file in place of the forest, and its hash into the manifest."""
    (directory / FOREST_FILE).write_bytes(packed)
    entry = {
        "name": FOREST_FILE,
        "sha256": hashlib.sha256(packed).hexdigest(),
        "bytes": len(packed),
    }
    rewritten(directory, file=entry)


def test_a_model_scores_as_before_it_was_written(tmp_path: Path) -> None:
    made = write_small_model(tmp_path)
    rows = quiet_rows(50, seed=4)
    before = Forest(read_forest(made.packed)).score(rows)
    model = load_model(tmp_path)
    assert np.array_equal(model.forest.score(rows), before)
    assert model.label == f"small@{made.manifest.version}"


def test_the_same_forest_gives_the_same_bytes() -> None:
    rows = quiet_rows(500)
    first, second = (write_forest(fit(rows, trees=10, sample=64, seed=1)) for _ in range(2))
    assert first == second


def test_another_budget_of_the_manifest_gives_its_threshold(tmp_path: Path) -> None:
    made = write_small_model(tmp_path)
    entry = next(e for e in made.manifest.budgets if e.alerts_per_day == 20.0)
    assert find_model(tmp_path, alerts_per_day=20.0).threshold == entry.threshold


def test_a_budget_that_the_manifest_lacks_is_refused_with_those_it_has(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    with pytest.raises(ModelError, match=r"it has 5, 10, 20"):
        find_model(tmp_path, alerts_per_day=7.0)


@pytest.mark.parametrize("damage", ["no rows", "ragged", "narrow", "too few scores", "bad part"])
def test_a_damaged_model_is_refused_whatever_is_damaged(damage: str, tmp_path: Path) -> None:
    write_small_model(tmp_path)
    probe = msgspec.json.decode((tmp_path / MANIFEST_FILE).read_bytes())["probe"]
    values, scores = probe["values"], probe["scores"]
    if damage == "no rows":
        rewritten(tmp_path, probe={"values": [], "scores": []})
    elif damage == "ragged":
        rewritten(tmp_path, probe={"values": [values[0][:-1], *values[1:]], "scores": scores})
    elif damage == "narrow":
        rewritten(tmp_path, probe={"values": [row[:5] for row in values], "scores": scores})
    elif damage == "too few scores":
        rewritten(tmp_path, probe={"values": values, "scores": scores[:-1]})
    else:
        packed = bytearray((tmp_path / FOREST_FILE).read_bytes())
        with zipfile.ZipFile(tmp_path / FOREST_FILE) as file:
            largest = max(file.infolist(), key=lambda one: one.compress_size)
        packed[largest.header_offset + len(largest.filename) + 60] ^= 0xFF
        with_forest(tmp_path, bytes(packed))
    directory = ModelDirectory(tmp_path, Clock())
    assert directory.model is None
    assert directory.failures == 1
    assert str(tmp_path) in directory.problem


def test_a_changed_forest_file_is_refused(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    path = tmp_path / FOREST_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="other hash"):
        find_model(tmp_path)


def test_other_features_are_refused_by_name(tmp_path: Path) -> None:
    made = write_small_model(tmp_path)
    features = [msgspec.to_builtins(f) for f in made.manifest.features]
    features[0]["name"] = "bytes"
    rewritten(tmp_path, features=features)
    with pytest.raises(ModelError, match="without volume; with bytes"):
        find_model(tmp_path)


def test_other_formulas_are_refused(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    rewritten(tmp_path, formula_version=99)
    with pytest.raises(ModelError, match="other formulas"):
        find_model(tmp_path)


def test_a_newer_schema_is_refused_whatever_else_it_holds(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text('{"schema":"hubblewatch.model","schema_version":2}')
    with pytest.raises(ModelError, match="newer hubblewatch"):
        read_manifest(tmp_path)


def test_another_scikit_learn_is_refused(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    rewritten(tmp_path, libraries={"scikit-learn": "0.19.2"})
    with pytest.raises(ModelError, match=r"scikit-learn 0\.19\.2.*train it again"):
        find_model(tmp_path)


def test_a_directory_without_a_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="hubblewatch train"):
        find_model(tmp_path)


def test_a_pickle_in_the_forest_s_place_is_refused(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    with_forest(tmp_path, pickle.dumps({"estimator": 1}))
    with pytest.raises(ModelError, match="no skops file"):
        load_model(tmp_path)


def test_types_that_no_forest_needs_are_refused_by_name() -> None:
    from sklearn.preprocessing import StandardScaler
    from skops.io import dumps

    with pytest.raises(ForestFileError, match="StandardScaler"):
        read_forest(dumps(StandardScaler()))


def test_a_file_that_unpacks_too_far_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", b" " * (65 << 20))
    with pytest.raises(ForestFileError, match="unpacks to"):
        read_forest(path.read_bytes())


def test_a_forest_that_scores_otherwise_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    with_forest(tmp_path, small_model(seed=5).packed)
    with pytest.raises(ModelError, match="otherwise than when it was trained"):
        load_model(tmp_path)


def test_a_new_model_is_taken_without_a_restart(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    clock = Clock()
    directory = ModelDirectory(tmp_path, clock)
    first = directory.model
    made = write_small_model(tmp_path, seed=5)
    clock.now = 2.0
    directory.refresh()
    assert first is not None
    assert directory.model is not None
    assert directory.model.version == made.manifest.version != first.version


def test_the_directory_is_looked_at_once_a_second_at_most(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    clock = Clock()
    directory = ModelDirectory(tmp_path, clock)
    first = directory.model
    write_small_model(tmp_path, seed=5)
    clock.now = 0.5
    directory.refresh()
    assert directory.model is first


def test_a_refused_new_model_leaves_the_former_in_force(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    clock = Clock()
    directory = ModelDirectory(tmp_path, clock)
    first = directory.model
    rewritten(tmp_path, formula_version=99)
    clock.now = 2.0
    directory.refresh()
    assert directory.model is first
    assert directory.failures == 1
    assert "other formulas" in directory.problem


def test_without_a_model_that_loads_none_is_described(tmp_path: Path) -> None:
    directory = ModelDirectory(tmp_path, Clock())
    assert directory.model is None
    assert directory.described is None
    assert not directory.is_configured
    assert directory.failures == 1


def test_trees_that_cannot_be_read_leave_the_rules_alone(tmp_path: Path) -> None:
    write_small_model(tmp_path)
    with_forest(tmp_path, b"not a forest")
    directory = ModelDirectory(tmp_path, Clock())
    assert directory.model is None
    assert directory.described is None
    assert "refused" in directory.problem


def test_shadow_is_described_as_such(tmp_path: Path) -> None:
    made = write_small_model(tmp_path)
    directory = ModelDirectory(tmp_path, Clock(), shadow=True)
    assert directory.described == ("small", made.manifest.version, "shadow")
    assert directory.model is not None
    assert directory.model.shadow
