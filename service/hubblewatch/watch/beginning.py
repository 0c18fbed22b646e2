"""Where a watch goes on: what to ask Hubble for again, and which windows were not seen."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from msgspec import Struct, field

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.pipeline import Pipeline, Resume
from hubblewatch.settings import HubbleSettings
from hubblewatch.state import Checkpoint, Record, changes, checkpoint_record, restore
from hubblewatch.window.jump_guard import MAX_JUMP_SECONDS

CLOCK_TOLERANCE_SECONDS = 3_600
"""A state from further ahead is of a wrong clock, and would make all flows late."""

EXPECTED_FLOWS = 5
"""A node is missed when so many of its flows were to be expected within the overlap, and none came.
The ring of a quieter one reaches back for hours, and its silence says nothing."""

_log = logging.getLogger(__name__)


class Beginning(Struct, frozen=True):
    """Event time to ask from (0: from now on), and the usual flows a second of the nodes."""

    since_ns: int = 0
    rates: dict[str, float] = field(default_factory=dict)
    unseen_windows: int = 0
    """Windows since the last closing that are too long ago to be asked for."""


def closing_records(pipeline: Pipeline) -> list[Record]:
    """Give what changed until a closing, with how far the stream was closed."""
    through = pipeline.closed_through
    # The windows before are read again: whether a connection is new depends on them.
    place = Resume(through - pipeline.lookback_windows)
    return [*changes(pipeline), checkpoint_record(Checkpoint(through, 0, place))]


def go_on(
    pipeline: Pipeline, records: Iterable[Record], now: int, hubble: HubbleSettings
) -> Beginning:
    """Take up a state into a fresh pipeline; ``now`` is in epoch seconds.

    Windows of which flows may still be there are judged, as complete as they turn out to be; those
    longer ago than ``hubble.max_resume_seconds`` are left out. Raises ConfigurationError where the
    state is from the future.
    """
    found = restore(pipeline, records)
    for broken in found.broken:
        _log.error("a record of the state cannot be read and is left out: %s", broken)
    # Hubble is asked anew which nodes are there.
    pipeline.memory.stream.unavailable = []
    if found.checkpoint is None:
        return Beginning()
    size = pipeline.settings.size
    through = found.checkpoint.closed_through
    if (through + 1) * size > now + CLOCK_TOLERANCE_SECONDS:
        raise ConfigurationError(
            f"the state goes to {format_seconds((through + 1) * size)}, which is in the future; "
            "set the clock, or name another file"
        )
    first = through + 1 - pipeline.lookback_windows
    earliest = int(now - hubble.max_resume_seconds)
    if first * size < earliest:
        first = earliest // size + 1
    # What is asked for begins there, so that is what the first lines' times are judged by; after a
    # break longer than what is believed at once, the first ones are to be judged by each other.
    begin = first * size
    newest = begin if now - begin <= MAX_JUMP_SECONDS else None
    pipeline.resume(Resume(first - 1, newest=newest), max(through, first - 1))
    unseen = max(0, first - 1 - through)
    if unseen:
        _log.warning(
            "%d windows from %s on were not watched, and are too long ago to ask Hubble for",
            unseen,
            format_seconds((through + 1) * size),
        )
    habits = pipeline.memory.stream.nodes.nodes
    rates = {
        name: habit.usual / size
        for name, habit in habits.items()
        if habit.usual / size * hubble.overlap_seconds >= EXPECTED_FLOWS
    }
    return Beginning(min(begin, now) * 1_000_000_000, rates, unseen)
