"""Which export files of agents to follow, and where to remember how far."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from hubblewatch.settings.block import SettingsBlock


class FollowSettings(SettingsBlock):
    """Files for ``hubblewatch export --follow``."""

    files: tuple[Annotated[str, Field(min_length=1, max_length=4_096)], ...] = ()
    """Paths or patterns of agents' export files, such as /var/run/cilium/hubble/events.log; rotated
    files beside them are found by themselves."""

    position_file: Path | None = None
    """Where to remember how far Kafka has everything; unset: every start begins anew."""

    begin: Literal["oldest", "newest"] = "oldest"
    """Where to begin in files that the position file does not know: with the oldest rotated one,
    or at the present end."""

    poll_seconds: float = Field(default=0.25, ge=0.05, le=10)
    """How often to look for more."""

    delay_seconds: float = Field(default=1.0, ge=0, le=300)
    """How long after its event a line may be written; more where the agent aggregates its export,
    or heartbeats promise too much."""

    @field_validator("files")
    @classmethod
    def _plain(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        repeated = next((name for name in value if value.count(name) > 1), None)
        if repeated is not None:
            raise ValueError(f"{repeated} is named more than once")
        if "-" in value:
            raise ValueError("standard input cannot be followed; export it without --follow")
        packed = next((name for name in value if name.endswith((".gz", ".zst"))), None)
        if packed is not None:
            raise ValueError(
                f"{packed} is compressed; name the file that the agent writes, and rotated ones "
                "are found beside it"
            )
        return value
