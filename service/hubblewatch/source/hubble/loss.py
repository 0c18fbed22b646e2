"""Where losses belong: in the gap of what was received, not in the moment of their report."""

from __future__ import annotations

from hubblewatch.flow.schema import Line, LostEvents
from hubblewatch.flow.timestamp import format_seconds

PIECE_NS = 10_000_000_000
"""A loss over a longer time is told in pieces, so that every window gets its share."""

MAX_PIECES = 90
"""Pieces of one loss; of a longer one they are longer."""

RECENT_NS = 30_000_000_000
"""Jumps older than this do not explain a loss reported now."""

_LARGEST = 4


class Jumps:
    """The largest jumps in the event time of one node's flows, of the last half to full minute."""

    def __init__(self) -> None:
        self.floor_ns = 0
        """Jumps up to this size need not be noted."""
        self.until_ns = 0
        """Event time at which to call ``turn``."""
        self._recent: list[tuple[int, int, int]] = []
        self._before: list[tuple[int, int, int]] = []

    def note(self, begin_ns: int, end_ns: int) -> None:
        """Flows came from ``begin_ns`` and next from ``end_ns``."""
        self._recent.append((end_ns - begin_ns, begin_ns, end_ns))
        if len(self._recent) > _LARGEST:
            self._recent.sort(reverse=True)
            self._recent.pop()
            self.floor_ns = self._recent[-1][0]

    def turn(self, now_ns: int) -> None:
        """Begin a new spell at event time ``now_ns``."""
        self._before, self._recent = self._recent, []
        self.floor_ns = 0
        self.until_ns = now_ns + RECENT_NS

    def take_largest(self, noticed_ns: int) -> tuple[int, int] | None:
        """Give begin and end of the largest jump that ended by ``noticed_ns``, and forget all."""
        found = max(
            (jump for jump in (*self._before, *self._recent) if jump[2] <= noticed_ns),
            default=None,
        )
        self._before, self._recent, self.floor_ns = [], [], 0
        return found and found[1:]


def lines_of_loss(
    node_name: str, source: str | int, count: int, begin_ns: int, end_ns: int
) -> list[Line]:
    """Give a loss between two event times as lines, in order; their numbers add up to ``count``."""
    span = end_ns - begin_ns
    pieces = max(1, min(-(-span // PIECE_NS), MAX_PIECES, count))
    first, last = format_ns(begin_ns), format_ns(end_ns)
    lines = []
    for piece in range(pieces):
        number = count * (piece + 1) // pieces - count * piece // pieces
        lines.append(
            Line(
                lost_events=LostEvents(source, str(number), first, last),
                node_name=node_name,
                time=format_ns(begin_ns + span * (piece + 1) // pieces),
            )
        )
    return lines


def format_ns(time_ns: int) -> str:
    """Give an RFC 3339 time with nanoseconds."""
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    return f"{format_seconds(seconds)[:-1]}.{nanos:09d}Z"
