"""How flows are cut into windows."""

from typing import Self

from pydantic import Field, model_validator

from hubblewatch.settings.block import SettingsBlock


class WindowSettings(SettingsBlock):
    """Tumbling windows of event time; all times in whole seconds."""

    size_seconds: int = Field(default=60, ge=1, le=3600)
    """Length of a window."""

    lateness_seconds: int = Field(default=10, ge=0, le=3600)
    """How far behind the newest flow another may be and still count."""

    settle_seconds: int = Field(default=3, ge=0, le=600)
    """How long after a connection's first event its outcome may still change."""

    connection_idle_seconds: int = Field(default=120, ge=1, le=86_400)
    """A connection without events for so long is over; its five-tuple then begins a new one."""

    max_connections: int = Field(default=1_000_000, ge=1_000, le=1_000_000_000)
    """Connections held of one partition, or of a recording: about 600 bytes of memory each where
    all are new, 700 while a window closes. Each of the windows that share the table may begin an
    equal part (by default a fifth), so that a flood leaves room to the next. Beyond, a flow of an
    unknown connection begins none: it is counted, its window is incomplete, and known connections
    go on."""

    completeness_floor: float = Field(default=0.8, ge=0, le=1)
    """Below this share of seen flows a window teaches nothing, and neither absence nor failures nor
    the model are judged: only what is there is."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.lateness_seconds > self.size_seconds:
            raise ValueError(
                f"lateness_seconds ({self.lateness_seconds}) must not be above size_seconds "
                f"({self.size_seconds}): a window waits for late flows no longer than it lasts"
            )
        if self.settle_seconds > self.lateness_seconds:
            raise ValueError(
                f"settle_seconds ({self.settle_seconds}) must not be above lateness_seconds "
                f"({self.lateness_seconds})"
            )
        if self.connection_idle_seconds < self.size_seconds + self.lateness_seconds:
            raise ValueError(
                f"connection_idle_seconds ({self.connection_idle_seconds}) must be at least "
                f"size_seconds + lateness_seconds ({self.size_seconds + self.lateness_seconds}): "
                "else one connection counts once more in each window"
            )
        return self
