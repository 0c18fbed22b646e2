"""Model directories: written as a whole, and read with every doubt."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from hubblewatch.errors import ConfigurationError
from hubblewatch.model.loaded import LoadedModel
from hubblewatch.model.manifest import (
    FOREST_FILE,
    MANIFEST_FILE,
    SCHEMA,
    SCHEMA_VERSION,
    Manifest,
    encode_manifest,
    feature_entries,
    fits_features,
)

_MAX_MANIFEST_BYTES = 4 << 20
_PROBE_TOLERANCE = 1e-6
_HOME = Path(__file__).parents[1]


class ModelError(ConfigurationError):
    """A model that is refused; the message says why and what to do."""


class _Head(msgspec.Struct):
    """What even a newer manifest has."""

    schema: str = ""
    schema_version: int = 0


def shipped_model() -> Path | None:
    """Give the directory of the model that comes with the service, None where there is none."""
    for place in (_HOME / "models" / "default", _HOME.parents[1] / "models" / "default"):
        if (place / MANIFEST_FILE).is_file():
            return place
    return None


def read_manifest(directory: Path) -> Manifest:
    """Read a manifest that fits this service; raise ModelError where it is another."""
    path = directory / MANIFEST_FILE
    content = _read(path, _MAX_MANIFEST_BYTES)
    try:
        head = msgspec.json.decode(content, type=_Head)
    except msgspec.MsgspecError as error:
        raise ModelError(f"model: {path} is no manifest ({error}); train the model again") from None
    if head.schema != SCHEMA:
        raise ModelError(
            f"model: {path} has the schema {head.schema!r}, not {SCHEMA!r}; "
            "name a directory that `hubblewatch train` wrote"
        )
    if head.schema_version > SCHEMA_VERSION:
        raise ModelError(
            f"model: {path} was written by a newer hubblewatch (schema version "
            f"{head.schema_version}, here {SCHEMA_VERSION}); update hubblewatch, or train again"
        )
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ModelError(f"model: {path} is damaged ({error}); train the model again") from None
    if not fits_features(manifest):
        raise ModelError(
            f"model: {directory} was trained on other features ({_difference(manifest)}); train it "
            "again with this version: hubblewatch train --out DIRECTORY RECORDING…"
        )
    return manifest


class Candidate(msgspec.Struct, frozen=True):
    """A model whose files are right as far as can be told without its libraries."""

    directory: Path
    manifest: Manifest
    packed: bytes
    threshold: float
    shadow: bool

    def load(self) -> LoadedModel:
        """Read the trees; raise ModelError where they are not what the manifest says."""
        forest = _forest(self.packed, self.manifest, self.directory)
        manifest = self.manifest
        return LoadedModel(manifest.name, manifest.version, forest, self.threshold, self.shadow)


def find_model(
    directory: Path, *, shadow: bool = False, alerts_per_day: float | None = None
) -> Candidate:
    """Check a model's files; ``alerts_per_day`` picks another of its budgets. Raises ModelError."""
    manifest = read_manifest(directory)
    threshold = _threshold(manifest, alerts_per_day)
    _check_versions(manifest, directory)
    packed = _read(directory / FOREST_FILE, max(manifest.file.bytes, 1))
    if hashlib.sha256(packed).hexdigest() != manifest.file.sha256:
        raise ModelError(
            f"model: {directory / FOREST_FILE} is not the file that its manifest names (other "
            "hash): it was changed or copied halfway; copy the whole directory again"
        )
    return Candidate(directory, manifest, packed, threshold, shadow)


def load_model(
    directory: Path, *, shadow: bool = False, alerts_per_day: float | None = None
) -> LoadedModel:
    """Load a model; as ``find_model``, and with its trees. Raises ModelError."""
    return find_model(directory, shadow=shadow, alerts_per_day=alerts_per_day).load()


def save_model(directory: Path, manifest: Manifest, packed: bytes, others: dict[str, str]) -> None:
    """Write a model; the manifest comes last, so that a reader never takes half of one."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in (
        (FOREST_FILE, packed),
        *((name, text.encode()) for name, text in others.items()),
        (MANIFEST_FILE, encode_manifest(manifest)),
    ):
        partial = directory / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(directory / name)


def _read(path: Path, bound: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(bound + 1)
    except OSError as error:
        raise ModelError(
            f"model: cannot read {path}: {error.strerror}; check model.path, or train one: "
            "hubblewatch train --out DIRECTORY RECORDING…"
        ) from None
    if len(content) > bound:
        raise ModelError(f"model: {path} is larger than {bound} bytes; it is some other file")
    return content


def _threshold(manifest: Manifest, alerts_per_day: float | None) -> float:
    if alerts_per_day is None or alerts_per_day == manifest.alerts_per_day:
        return manifest.threshold
    for entry in manifest.budgets:
        if entry.alerts_per_day == alerts_per_day:
            return entry.threshold
    known = ", ".join(f"{entry.alerts_per_day:g}" for entry in manifest.budgets)
    raise ModelError(
        f"model: {manifest.name} has no threshold for {alerts_per_day:g} alerts a day; it has "
        f"{known}: set model.alerts_per_day to one of them, or train with --budget"
    )


def _check_versions(manifest: Manifest, directory: Path) -> None:
    here = version("scikit-learn")
    trained = manifest.libraries.get("scikit-learn", "")
    if trained.split(".")[:2] != here.split(".")[:2]:
        raise ModelError(
            f"model: {directory} was trained with scikit-learn {trained or 'of an unknown version'}"
            f", here is {here}, which may read its trees otherwise; train it again, "
            f"or install scikit-learn {trained}"
        )


def _forest(packed: bytes, manifest: Manifest, directory: Path) -> Any:
    import numpy as np

    from hubblewatch.model.forest import Forest
    from hubblewatch.model.skops_file import ForestFileError, read_forest

    again = "train the model again, or copy it again from where it was trained"
    try:
        estimator = read_forest(packed)
    except ForestFileError as error:
        raise ModelError(f"model: {directory / FOREST_FILE} is refused, {error}; {again}") from None
    if getattr(estimator, "n_features_in_", 0) != len(manifest.features):
        raise ModelError(f"model: the forest in {directory} has other features; {again}")
    forest = Forest(estimator)
    probe = manifest.probe
    widths = {len(row) for row in probe.values}
    if widths != {len(manifest.features)} or len(probe.scores) != len(probe.values):
        raise ModelError(
            f"model: the manifest in {directory} has no rows of its features to try the forest "
            f"with; {again}"
        )
    scores = forest.score(np.array(probe.values))
    if not np.allclose(scores, probe.scores, rtol=0, atol=_PROBE_TOLERANCE):
        raise ModelError(
            f"model: the forest in {directory} scores the manifest's rows otherwise than when it "
            f"was trained; {again}"
        )
    return forest


def _difference(manifest: Manifest) -> str:
    theirs = [entry.name for entry in manifest.features]
    ours = [entry.name for entry in feature_entries()]
    missing = [name for name in ours if name not in theirs]
    unknown = [name for name in theirs if name not in ours]
    parts = []
    if missing:
        parts.append(f"without {', '.join(missing)}")
    if unknown:
        parts.append(f"with {', '.join(unknown)}")
    return "; ".join(parts) or "another order or other formulas"
