"""One of several files that are merged by time: the lines at hand, and how far they are taken."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from operator import itemgetter

from hubblewatch.flow.schema import Line
from hubblewatch.source.export_file.follower import Follower
from hubblewatch.source.merge import event_times


class Strand:
    """Holds at most one batch of its file. ``there_at`` is when the file was there last."""

    def __init__(self, follower: Follower, there_at: float) -> None:
        self.follower = follower
        self.there_at = there_at
        self.lines: list[Line] = []
        self.times: list[int] = []
        """Event times of the lines in ns, none less than one before."""

    def read(self, is_timed: bool) -> bool:
        """Read lines, once those at hand have been taken; give whether there was anything.

        ``is_timed``: their times will be asked for.
        """
        found = self.follower.read()
        if found is None:
            return False
        self.lines = found
        # Its lines stay in their order, though their times may not be.
        times = event_times(found, self.follower.newest_ns) if is_timed else ()
        self.times = list(accumulate(times, max))
        return True

    def take(self, until: int) -> list[tuple[int, Line]]:
        """Give times and lines up to ``until``."""
        end = bisect_right(self.times, until)
        taken = list(zip(self.times[:end], self.lines[:end], strict=True))
        self.lines, self.times = self.lines[end:], self.times[end:]
        return taken

    def take_all(self) -> list[Line]:
        """Give all lines at hand."""
        taken, self.lines, self.times = self.lines, [], []
        return taken

    def advance(self) -> None:
        """What was taken has arrived where it was wanted."""
        if not self.lines:
            self.follower.advance()


def merged(strands: Sequence[Strand]) -> list[Line]:
    """Give, in the order of time, all lines before which none can come any more.

    Every strand has lines at hand; of one at least all are given.
    """
    if len(strands) == 1:
        return strands[0].take_all()
    until = min(strand.times[-1] for strand in strands)
    taken = [pair for strand in strands for pair in strand.take(until)]
    taken.sort(key=itemgetter(0))
    return [line for _, line in taken]
