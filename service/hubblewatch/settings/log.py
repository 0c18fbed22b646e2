"""How the service logs."""

from typing import Literal

from hubblewatch.settings.block import SettingsBlock


class LogSettings(SettingsBlock):
    """Level and form of the log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is written."""

    format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""
