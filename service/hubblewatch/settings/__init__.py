"""All settings: one typed model, from a YAML file and ``HUBBLEWATCH_…`` variables."""

from hubblewatch.settings.block import SettingsBlock
from hubblewatch.settings.export import ExportSettings, SpoolSettings
from hubblewatch.settings.follow import FollowSettings
from hubblewatch.settings.forest import ModelSettings
from hubblewatch.settings.hubble import (
    FlowFilterSettings,
    HubbleSettings,
    HubbleTLSSettings,
)
from hubblewatch.settings.kafka import KafkaSecuritySettings, KafkaSettings
from hubblewatch.settings.loading import load_settings
from hubblewatch.settings.log import LogSettings
from hubblewatch.settings.model import Settings
from hubblewatch.settings.redaction import RedactionSettings
from hubblewatch.settings.serve import ServeSettings
from hubblewatch.settings.window import WindowSettings
from hubblewatch.settings.worker import WorkerSettings

__all__ = [
    "ExportSettings",
    "FlowFilterSettings",
    "FollowSettings",
    "HubbleSettings",
    "HubbleTLSSettings",
    "KafkaSecuritySettings",
    "KafkaSettings",
    "LogSettings",
    "ModelSettings",
    "RedactionSettings",
    "ServeSettings",
    "Settings",
    "SettingsBlock",
    "SpoolSettings",
    "WindowSettings",
    "WorkerSettings",
    "load_settings",
]
