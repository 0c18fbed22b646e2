"""How far event time has come: below the watermark no more flows are expected."""

from __future__ import annotations

from msgspec import Struct

from hubblewatch.flow.schema import Heartbeat
from hubblewatch.flow.timestamp import parse_ns

EXPORTER_TIMEOUT_SECONDS = 60
"""An exporter this far behind the foremost one no longer holds the others' windows open."""


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

    @property
    def has_heartbeats(self) -> bool:
        """Whether exporters drive this stream."""
        return bool(self._exporters)

    def reach(self, second: int) -> None:
        """Take the event time of a flow."""
        if self.newest is None or second > self.newest:
            self.newest = second

    def resume(self, exporters: dict[str, tuple[int, int]]) -> None:
        """Go on from what ``exporters`` gave earlier."""
        self._exporters = {name: _Exporter(*known) for name, known in exporters.items()}

    def exporters(self) -> dict[str, tuple[int, int]]:
        """Give each exporter's last sequence number and watermark."""
        return {name: (known.sequence, known.watermark) for name, known in self._exporters.items()}

    def beat(self, heartbeat: Heartbeat) -> int:
        """Take a heartbeat; give the number of heartbeats that are missing before it.

        Raises TimestampError where the heartbeat's watermark is no time. A sequence that goes
        back is a restarted exporter (or a repeated line) and shows no gap.
        """
        watermark = parse_ns(heartbeat.watermark) // 1_000_000_000
        known = self._exporters.get(heartbeat.exporter)
        if known is None:
            self._exporters[heartbeat.exporter] = _Exporter(heartbeat.sequence, watermark)
            return 0
        missing = max(0, heartbeat.sequence - known.sequence - 1)
        known.sequence = heartbeat.sequence
        known.watermark = max(known.watermark, watermark)
        return missing

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
