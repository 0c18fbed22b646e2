"""Where metrics, health and alerts are served."""

from pydantic import Field

from hubblewatch.settings.block import SettingsBlock


class ServeSettings(SettingsBlock):
    """The HTTP server's address."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; a container needs 0.0.0.0 (or ::) to be reached from outside."""

    port: int = Field(default=9464, ge=0, le=65_535)
    """TCP port; 0 lets the system choose one."""
