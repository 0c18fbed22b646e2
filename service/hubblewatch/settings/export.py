"""How the exporter sends what it reads."""

from pydantic import Field

from hubblewatch.settings.block import SettingsBlock
from hubblewatch.settings.follow import FollowSettings


class ExportSettings(SettingsBlock):
    """One ``hubblewatch export``."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Name in heartbeats, by which workers tell a gap from another exporter; two that run at once
    must differ. Unset: this machine's or pod's name."""

    envelope_age_seconds: float = Field(default=0.2, ge=0.01, le=10)
    """How long a line waits for others to share a record with."""

    pending_mib: int = Field(default=32, ge=1, le=4096)
    """MiB that may wait for Kafka; beyond, reading waits."""

    follow: FollowSettings = FollowSettings()
