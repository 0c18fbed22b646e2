"""How the exporter sends what it reads."""

from pathlib import Path

from pydantic import Field

from hubblewatch.settings.block import SettingsBlock
from hubblewatch.settings.follow import FollowSettings


class SpoolSettings(SettingsBlock):
    """Where a live export keeps on disk what Kafka does not take, and what Kafka has, for restarts;
    recordings and files wait instead."""

    directory: Path | None = None
    """Directory of this exporter alone; it is made if need be. Unset: no spool."""

    max_mib: int = Field(default=1024, ge=1, le=1 << 20)
    """MiB on disk, packed; beyond, the oldest go, and are told as lost."""

    resume_seconds: int = Field(default=600, ge=0, le=86_400)
    """How far back a restart may ask Hubble for what Kafka does not have; 0 begins with now."""


class ExportSettings(SettingsBlock):
    """One ``hubblewatch export``."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Name in heartbeats, by which workers tell a gap from another exporter; two that run at once
    must differ. Unset: this machine's or pod's name."""

    envelope_age_seconds: float = Field(default=0.2, ge=0.01, le=10)
    """How long a line waits for others to share a record with."""

    pending_mib: int = Field(default=32, ge=1, le=4096)
    """MiB that may wait for Kafka in memory; beyond, they go to the spool, or reading waits."""

    spool: SpoolSettings = SpoolSettings()

    follow: FollowSettings = FollowSettings()
