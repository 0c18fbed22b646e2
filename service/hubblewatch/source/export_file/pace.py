"""How fast one file's event time goes on: what a gap in it is measured by."""

from __future__ import annotations

from hubblewatch.flow.schema import Line
from hubblewatch.source.hubble.loss import lines_of_loss
from hubblewatch.source.merge import event_times
from hubblewatch.window.completeness import STREAM_GAP

SPELL_NS = 60_000_000_000
"""Event time over which a rate is taken."""

SHORT_NS = 10_000_000_000
"""A rate over less says little; the one before is used instead, if there is any."""


class Pace:
    """Newest event time, usual lines a second and the node of one file."""

    def __init__(self, newest_ns: int = 0, rate: float = 0.0, node: str = "") -> None:
        self.newest_ns = newest_ns
        self.node = node
        self._rate = rate
        self._spell_ns = 0
        self._spell_lines = 0

    @property
    def usual_rate(self) -> float:
        """Lines a second: of this spell if it is long enough, else of the one before."""
        span = self.newest_ns - self._spell_ns if self._spell_ns else 0
        if span >= SHORT_NS or (span > 0 and not self._rate):
            return self._spell_lines / (span / 1e9)
        return self._rate

    def take(self, lines: list[Line]) -> None:
        """Take note of lines; their last one speaks for the time of all."""
        last = lines[-1]
        time = next(event_times(lines[-1:], 0))
        name = (last.flow.node_name if last.flow is not None else "") or last.node_name
        self.node = name or self.node
        if not time:
            return
        self.newest_ns = max(self.newest_ns, time)
        if not self._spell_ns:
            # Its lines came before.
            self._spell_ns = time
            return
        self._spell_lines += len(lines)
        if time - self._spell_ns >= SPELL_NS:
            self._rate = self.usual_rate
            self._spell_ns, self._spell_lines = time, 0

    def gap_before(self, lines: list[Line]) -> tuple[list[Line], int]:
        """Give lines that tell of a gap between what came last and ``lines``, and how many miss.

        Afterwards the rate is taken anew.
        """
        first = next((time for time in event_times(lines, 0) if time), self.newest_ns)
        begin = min(self.newest_ns or first, first)
        number = max(1, round(self.usual_rate * (first - begin) / 1e9))
        self._rate = self.usual_rate
        self._spell_ns = self._spell_lines = 0
        if not first:
            return [], number
        node = self.node or lines[0].node_name
        return lines_of_loss(node, STREAM_GAP, number, begin, first), number
