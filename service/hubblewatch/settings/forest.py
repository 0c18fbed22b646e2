"""Which model judges, and whether it may page."""

from pathlib import Path

from pydantic import Field

from hubblewatch.settings.block import SettingsBlock


class ModelSettings(SettingsBlock):
    """The isolation forest's model; without one the other detectors go on alone."""

    enabled: bool = True
    """Off: no model is loaded, and scikit-learn is not imported."""

    path: Path | None = None
    """Directory that ``hubblewatch train`` wrote; unset: the model that comes with the service."""

    shadow: bool = False
    """On trial: alerts are recorded and counted apart, and never page."""

    alerts_per_day: float | None = Field(default=None, gt=0)
    """Alert budget for 100 subjects; one of those in the model's manifest. Unset: the model's."""
