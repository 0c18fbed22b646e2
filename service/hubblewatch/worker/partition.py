"""One partition of the flows in memory: its pipeline, and from where to read it again.

All of it can be rebuilt from the log and the state topic. Which record feeds which window is noted
as records are taken; the safe offset is the first one that feeds a window that is still open, or
one of the closed windows before it that tell which connections were under way. It does not pass
flows that are held back because their time is far ahead, which feed no window yet.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hubblewatch.flow.decode import decode_envelope
from hubblewatch.flow.reject import Reject
from hubblewatch.pipeline import Closed, Pipeline, Resume
from hubblewatch.state import Checkpoint, Record, changes, checkpoint_record

OnReject = Callable[[Reject], None]


class Commit(Struct, frozen=True):
    """What one closing of a partition writes, all or nothing.

    ``offset`` is the next one to read after a restart; ``state`` are records of the state topic,
    the checkpoint among them.
    """

    closed: list[Closed]
    state: list[Record]
    offset: int


class PartitionState:
    """A partition's pipeline with the offsets that feed its windows.

    ``next_offset`` is the offset expected next; records before it are passed over, since after a
    rebalance some of the former assignment may still be in a buffer. ``gaps`` counts records that
    should have come and did not (retention, transaction markers, or a defect). ``has_begun`` tells
    whether a record was counted since the restore.
    """

    def __init__(
        self, number: int, pipeline: Pipeline, next_offset: int | None, on_reject: OnReject
    ) -> None:
        self.number = number
        self.pipeline = pipeline
        self.next_offset = next_offset
        self.gaps = 0
        self._on_reject = on_reject
        self.has_begun = False
        self._feeds: dict[int, tuple[int, Resume]] = {}
        self._held_from: tuple[int, Resume] | None = None

    def take(self, value: bytes | None, offset: int) -> Commit | None:
        """Count one record's lines; give what is to be committed if windows closed."""
        if self.next_offset is not None:
            if offset < self.next_offset:
                return None
            self.gaps += offset - self.next_offset
        self.next_offset = offset + 1
        self.has_begun = True
        place = self.pipeline.place()
        closed: list[Closed] = []
        where = f"partition {self.number} offset {offset} line"
        for lines in decode_envelope(value or b"", self._on_reject, where):
            closed += self.pipeline.take(lines)
        self._note(offset, place)
        return self._commit(closed)

    def pass_by(self, offset: int) -> None:
        """Leave a record out."""
        self.next_offset = offset + 1
        self.has_begun = True

    def quiet_until(self, second: int) -> Commit | None:
        """Nothing older than ``second`` will come: give what that closes."""
        place = self.pipeline.place()
        closed = self.pipeline.quiet_until(second)
        if self.next_offset is not None:
            self._note(self.next_offset, place)
        return self._commit(closed)

    def _note(self, offset: int, place: Resume) -> None:
        """Note the record as the first one that feeds each window it opened, closed or not."""
        if not self.pipeline.is_holding:
            self._held_from = None
        elif self._held_from is None:
            self._held_from = offset, place
        opened = set(self.pipeline.open_windows)
        through = self.pipeline.closed_through
        if through > place.closed_through:
            newest_needed = max(place.closed_through, through - self.pipeline.lookback_windows)
            opened.update(range(newest_needed + 1, through + 1))
        for number in opened:
            self._feeds.setdefault(number, (offset, place))

    def _commit(self, closed: list[Closed]) -> Commit | None:
        through = self.pipeline.closed_through
        oldest = through - self.pipeline.lookback_windows
        self._feeds = {n: feed for n, feed in self._feeds.items() if n > oldest}
        if not closed:
            return None
        assert self.next_offset is not None
        held = () if self._held_from is None else (self._held_from,)
        offset, resume = min(
            (*self._feeds.values(), *held),
            key=lambda feed: feed[0],
            default=(self.next_offset, self.pipeline.place()),
        )
        checkpoint = Checkpoint(through, offset, resume)
        state = [*changes(self.pipeline), checkpoint_record(checkpoint)]
        return Commit(closed, state, offset)
