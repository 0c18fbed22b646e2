"""How the worker shares the partitions with others, and how patient it is."""

from pydantic import Field

from hubblewatch.settings.block import SettingsBlock


class WorkerSettings(SettingsBlock):
    """One ``hubblewatch detect``; all workers of a group must have the same ``group``."""

    group: str = Field(default="hubblewatch", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Kafka consumer group; also the begin of the transactional ids."""

    instance: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Name of this worker among the others, kept over restarts: coming back within the session
    timeout it gets its partitions again, and the others do not stop. Unset: the pod's name in a
    StatefulSet, else none. Two running workers must never have the same."""

    session_timeout_seconds: float = Field(default=30.0, ge=6, le=300)
    """A worker that is not heard from for so long loses its partitions to the others."""

    buffered_records: int = Field(default=24, ge=1, le=4096)
    """Records held in memory ahead of the counting; one has up to half a megabyte."""

    quiet_after_seconds: float = Field(default=15.0, ge=1, le=3600)
    """Without heartbeats: when all is read and nothing came for so long, time goes on by the
    clock, and windows close."""

    commit_timeout_seconds: float = Field(default=30.0, ge=1, le=300)
    """How long a transaction may take before the partitions are given up and read again."""

    stuck_after_seconds: float = Field(default=45.0, ge=5, le=3600)
    """When there is lag and nothing moved for so long, /healthz turns red."""
