"""The settings model: every setting of the service is a field here or in one of its blocks."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.settings.export import ExportSettings
from hubblewatch.settings.forest import ModelSettings
from hubblewatch.settings.hubble import HubbleSettings
from hubblewatch.settings.kafka import KafkaSettings
from hubblewatch.settings.log import LogSettings
from hubblewatch.settings.redaction import RedactionSettings
from hubblewatch.settings.serve import ServeSettings
from hubblewatch.settings.window import WindowSettings
from hubblewatch.settings.worker import WorkerSettings


class Settings(BaseSettings):
    """All settings; ``HUBBLEWATCH_`` variables come before the file, the file before the defaults.

    Made by ``load_settings``, whose errors name the field; what is passed to the constructor counts
    as the file.
    """

    model_config = SettingsConfigDict(
        env_prefix="HUBBLEWATCH_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    cluster: str = Field(default="default", min_length=1, max_length=253)
    """Name of the watched cluster, as alerts and metrics show it."""

    suppressions: Path | None = None
    """YAML list of what is known and shall not raise alerts."""

    hubble: HubbleSettings = HubbleSettings()
    kafka: KafkaSettings = KafkaSettings()
    export: ExportSettings = ExportSettings()
    redaction: RedactionSettings = RedactionSettings()
    worker: WorkerSettings = WorkerSettings()
    window: WindowSettings = WindowSettings()
    detectors: DetectorSettings = DetectorSettings()
    model: ModelSettings = ModelSettings()
    serve: ServeSettings = ServeSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the variables first; no .env file is read: it would be one more hidden place."""
        return env_settings, init_settings
