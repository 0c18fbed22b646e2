"""How far event time has come: below the watermark no more flows are expected."""

from __future__ import annotations

from msgspec import Struct

from hubblewatch.flow.schema import Heartbeat
from hubblewatch.flow.timestamp import parse_seconds

EXPORTER_TIMEOUT_SECONDS = 60
"""An exporter this far behind the foremost one no longer holds the others' windows open."""


MAX_EXPORTERS = 256
"""Exporters held; of more, those that have been silent for an hour are forgotten."""

_FORGOTTEN_AFTER_SECONDS = 3_600
"""So long an exporter may be silent: while others beat, if there are too many, or while flows go on
without any heartbeat, which are somebody else's then."""


class Gap(Struct, frozen=True):
    """Missing heartbeats, and the event times (epoch seconds) of those around them.

    What is missing with them came in between: not older than the watermarks, but mostly as old as
    the stream was, which is the lateness later.
    """

    missing: int
    since: int
    until: int


class _Exporter(Struct):
    sequence: int
    watermark: int


class Watermark:
    """The watermark of one stream: of its exporters' heartbeats, else of its own event times.

    An exporter promises in each heartbeat that it sends no flow older than the watermark it names;
    with several the lowest counts. Without heartbeats (a recording, a foreign shipper) it is the
    highest event time less the allowed lateness. All in epoch seconds.
    """

    def __init__(self, lateness: int) -> None:
        self.lateness = lateness
        self.newest: int | None = None
        self._exporters: dict[str, _Exporter] = {}
        self._alone_since: int | None = None
        """Event time of the first flow taken since the last heartbeat."""

    @property
    def has_heartbeats(self) -> bool:
        """Whether exporters drive this stream."""
        return bool(self._exporters)

    def reach(self, second: int) -> None:
        """Take the event time of a flow that was judged to be true.

        Where exporters drive the stream, those are only flows far ahead of all heartbeats.
        """
        if self.newest is None or second > self.newest:
            self.newest = second
        if self._alone_since is None:
            self._alone_since = second
        elif self.newest > self._alone_since + _FORGOTTEN_AFTER_SECONDS:
            # A shipper without heartbeats took over: nobody else would close its windows.
            self._exporters.clear()

    def resume(self, exporters: dict[str, tuple[int, int]], newest: int | None) -> None:
        """Go on from what ``exporters`` gave, and ``newest`` was, earlier."""
        self.newest = newest
        self._exporters = {name: _Exporter(*known) for name, known in exporters.items()}

    def exporters(self) -> dict[str, tuple[int, int]]:
        """Give each exporter's last sequence number and watermark."""
        return {name: (known.sequence, known.watermark) for name, known in self._exporters.items()}

    @property
    def foremost(self) -> int | None:
        """The latest time that anything of the stream was believed to have."""
        times = [exporter.watermark for exporter in self._exporters.values()]
        if self.newest is not None:
            times.append(self.newest)
        return max(times, default=None)

    @property
    def exporter_count(self) -> int:
        """Exporters that are not far behind the foremost one."""
        foremost = max((known.watermark for known in self._exporters.values()), default=0)
        return sum(
            known.watermark >= foremost - EXPORTER_TIMEOUT_SECONDS
            for known in self._exporters.values()
        )

    def beat(self, heartbeat: Heartbeat) -> Gap | None:
        """Take a heartbeat; give the gap before it, if any are missing.

        Raises TimestampError where the heartbeat's watermark is no time. A repeated heartbeat
        changes nothing; a sequence that goes back while the watermark goes on is an exporter that
        was restarted: its 1 says that it knows nothing of the time since its last run.
        """
        watermark = parse_seconds(heartbeat.watermark)
        self._alone_since = None
        known = self._exporters.get(heartbeat.exporter)
        if known is None:
            if len(self._exporters) >= MAX_EXPORTERS:
                self._forget_silent()
            self._exporters[heartbeat.exporter] = _Exporter(heartbeat.sequence, watermark)
            return None
        if heartbeat.sequence <= known.sequence and watermark <= known.watermark:
            return None
        missing = heartbeat.sequence - known.sequence - 1
        if heartbeat.sequence == 1:
            missing = watermark - known.watermark - 1
        since, known.watermark = known.watermark, max(known.watermark, watermark)
        known.sequence = heartbeat.sequence
        if missing <= 0:
            return None
        return Gap(missing, since + self.lateness, known.watermark + self.lateness)

    def _forget_silent(self) -> None:
        oldest = max(known.watermark for known in self._exporters.values())
        oldest -= _FORGOTTEN_AFTER_SECONDS
        self._exporters = {
            name: known for name, known in self._exporters.items() if known.watermark >= oldest
        }

    def current(self) -> int | None:
        """Give the watermark; None before the first event."""
        if self._exporters:
            foremost = max(exporter.watermark for exporter in self._exporters.values())
            return min(
                exporter.watermark
                for exporter in self._exporters.values()
                if exporter.watermark >= foremost - EXPORTER_TIMEOUT_SECONDS
            )
        return None if self.newest is None else self.newest - self.lateness
