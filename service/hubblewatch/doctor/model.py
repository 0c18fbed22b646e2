"""Does the model load that the settings name, or that comes with the service?"""

from __future__ import annotations

from hubblewatch.doctor.result import CheckResult, passed, skipped, told, warned
from hubblewatch.model.store import ModelError, load_model, read_manifest, shipped_model
from hubblewatch.settings import Settings

CHECK = "model"


def check_model(settings: Settings) -> CheckResult:
    """Load the model as the worker does: files, hash, features, versions, and its own test rows."""
    wanted = settings.model
    if not wanted.enabled:
        return skipped(CHECK, "model.enabled is false: the other detectors go on alone")
    if not settings.detectors.isolation_forest.enabled:
        return skipped(CHECK, "detectors.isolation-forest.enabled is false")
    directory = wanted.path or shipped_model()
    if directory is None:
        return warned(
            CHECK,
            "model.path is not set, and no model comes with this installation",
            "train one by: hubblewatch train --out DIRECTORY RECORDING…, and set model.path",
        )
    try:
        manifest = read_manifest(directory)
        model = load_model(directory, shadow=wanted.shadow, alerts_per_day=wanted.alerts_per_day)
    except ModelError as error:
        return told(CHECK, error)
    library = manifest.libraries.get("scikit-learn", "an unknown version")
    kind = "" if wanted.path else ", the shipped one"
    trial = "; on trial (model.shadow): it never pages" if wanted.shadow else ""
    return passed(
        CHECK,
        f"{model.label}{kind}: {len(manifest.features)} features fit, trained with scikit-learn "
        f"{library}, threshold {model.threshold:.4g}{trial}",
    )
