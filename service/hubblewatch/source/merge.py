"""Several recordings as one stream in event-time order: rotated files, or one for each node."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import TimestampError, parse_ns
from hubblewatch.source.recordings import Recording

MERGED_LINES = 512
"""Lines of several recordings handed on together."""

_UNKNOWN = 1 << 63


def in_time_order(
    recordings: Sequence[Recording], on_reject: Callable[[Reject], None]
) -> Iterator[list[Line]]:
    """Give the lines of all recordings, merged by event time where they overlap.

    A recording is taken to be roughly in order itself, and its lines stay in their order. At most
    one batch of each recording that overlaps is held, and a recording is opened only when its time
    has come, so a thousand rotated files are open one at a time.
    """
    if len(recordings) == 1:
        yield from recordings[0].decoded(on_reject)
        return
    heap = [
        (begin, place, stream)
        for place, (begin, stream) in enumerate(_begun(one, on_reject) for one in recordings)
    ]
    heapq.heapify(heap)
    merged: list[Line] = []
    while heap:
        _, place, stream = heapq.heappop(heap)
        until = heap[0][0] if heap else None
        for batch in stream.take_until(until):
            if merged:
                merged.extend(batch)
            else:
                merged = batch
            if len(merged) >= MERGED_LINES:
                yield merged
                merged = []
        if stream.is_open:
            heapq.heappush(heap, (stream.time, place, stream))
    if merged:
        yield merged


class _Stream:
    """One recording being merged: the batch at hand, and how far into it the merge has come."""

    def __init__(self, batches: Iterator[list[Line]], begin: int) -> None:
        self.time = begin
        self.is_open = True
        self._batches = batches
        self._batch: list[Line] = []
        self._times: list[int] = []
        self._at = 0

    def take_until(self, until: int | None) -> Iterator[list[Line]]:
        """Give the lines before the first that is later than ``until``, which becomes ``time``."""
        while True:
            if self._at >= len(self._batch):
                batch = next(self._batches, None)
                if batch is None:
                    self.is_open = False
                    return
                if until is None or (batch and _last_time(batch) <= until):
                    yield batch
                    continue
                self._batch, self._at = batch, 0
                self._times = list(event_times(batch, self.time))
            end = self._at
            if until is None:
                end = len(self._batch)
            else:
                times = self._times
                while end < len(times) and times[end] <= until:
                    end += 1
            if end > self._at:
                yield self._batch[self._at : end]
                self._at = end
            if end < len(self._batch):
                self.time = self._times[end]
                return


def event_times(lines: list[Line], time: int) -> Iterator[int]:
    """Event times in nanoseconds; a line without a usable one goes with the line before it."""
    second_text, second_ns = "", 0
    for line in lines:
        stamp = (line.flow.time if line.flow is not None else "") or line.time
        try:
            if stamp[-1:] != "Z":
                time = parse_ns(stamp)
            else:
                if stamp[:19] != second_text:
                    second_ns = parse_ns(stamp[:19])
                    second_text = stamp[:19]
                time = second_ns + int(stamp[20:-1].ljust(9, "0")[:9])
        except (TimestampError, ValueError):
            pass  # counted by the pipeline, which reads the time again
        yield time


def _last_time(lines: list[Line]) -> int:
    """Give the time of the last line, which speaks for a batch that is roughly in order."""
    return next(event_times(lines[-1:], _UNKNOWN))


def _begun(recording: Recording, on_reject: Callable[[Reject], None]) -> tuple[int, _Stream]:
    """Find a recording's first event time; a file is then closed again until its turn."""
    if recording.is_rereadable:
        probe = recording.decoded(lambda _: None)
        begin = _begin(next(probe, []))
        probe.close()
        recording.damage = ""
        recording.bytes_read = recording.lines_read = 0
        return begin, _Stream(recording.decoded(on_reject), begin)
    lines = recording.decoded(on_reject)
    first = next(lines, [])
    begin = _begin(first)
    return begin, _Stream(chain([first], lines), begin)


def _begin(lines: list[Line]) -> int:
    return next((time for time in event_times(lines, 0) if time), 0)
