"""The live source: the lines of several export files, merged by time, without end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.settings.follow import FollowSettings
from hubblewatch.source.export_file.counts import FileCounts
from hubblewatch.source.export_file.follower import Follower
from hubblewatch.source.export_file.position import Position, PositionFile
from hubblewatch.source.export_file.strand import Strand, merged
from hubblewatch.source.export_file.wanted import WantedFiles

MAX_FILES = 256
"""Files followed at once; further ones are left out, and counted."""

IDLE_SECONDS = 1.0
"""An empty batch is given so often when nothing comes; patterns are looked at again as often."""

GONE_AFTER_SECONDS = 60.0
"""A file that a pattern found is no longer waited for when it has been away for so long, and a
rotated one that cannot be opened is left out."""

_log = logging.getLogger(__name__)


class FollowedFiles:
    """Export files as what the exporter reads from, until ``close`` is called.

    Lines of one file come in their order, those of several by event time. ``clock_ns`` is the time
    of day, ``steady`` a clock in seconds that never jumps. Raises ConfigurationError for a file
    that is there and cannot be read, and for a position file that cannot be used.
    """

    is_live = True

    def __init__(
        self,
        settings: FollowSettings,
        on_reject: Callable[[Reject], None],
        clock_ns: Callable[[], int] = time.time_ns,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = FileCounts()
        self.taken = 0
        """Batches taken, empty ones included: it moves each second."""
        self._settings = settings
        self._on_reject = on_reject
        self._clock_ns = clock_ns
        self._steady = steady
        self._closed = asyncio.Event()
        self._complete_ns = 0
        self._position_file: PositionFile | None = None
        self._strands: dict[str, Strand] = {}
        self._confirmed: Position = {}
        self._marks = 0
        self._is_failing = False
        self._left_out: set[str] = set()
        if settings.position_file is not None:
            self._position_file = PositionFile(settings.position_file)
            self._position_file.check()
            self._confirmed = self._position_file.read()
        self._wanted = WantedFiles(settings.files)

    @property
    def complete_through_ns(self) -> int:
        """Event time up to which all was taken; it stands still while a file is behind or away."""
        return self._complete_ns

    @property
    def confirmed(self) -> Position:
        """How far the lines of each file have arrived, as remembered for the next start."""
        return self._confirmed

    @property
    def goes_on(self) -> bool:
        """Whether it begins where an earlier run has ended."""
        return bool(self._confirmed)

    def close(self) -> None:
        """End; ``batches`` ends soon after."""
        self._closed.set()

    def release(self) -> None:
        """Let go of all files."""
        for strand in self._strands.values():
            strand.follower.close()

    async def batches(self) -> AsyncIterator[list[Line]]:
        """Give lines; an empty batch each second or so when nothing comes."""
        told_at = looked_at = self._steady() - IDLE_SECONDS
        try:
            while not self._closed.is_set():
                now, now_ns = self._steady(), self._clock_ns()
                if now - looked_at >= IDLE_SECONDS:
                    looked_at = now
                    self.look(now)
                lines = self.next()
                if lines or now - told_at >= IDLE_SECONDS:
                    told_at = now
                    self.taken += 1
                    yield lines or []
                    self.advance()
                if lines is not None:
                    await asyncio.sleep(0)
                    continue
                self._note_complete(now_ns)
                await self._pause()
        finally:
            self.release()

    def position(self) -> Position:
        """Give how far all lines have been taken."""
        # What is not followed at present, because its volume is not mounted yet, is remembered.
        places = dict(self._confirmed)
        for name, strand in self._strands.items():
            if strand.follower.place is not None:
                places[name] = strand.follower.place
        return places

    async def confirm(self, position: Position) -> None:
        """All lines up to ``position`` have arrived; a restart begins there."""
        if position == self._confirmed:
            return
        if self._position_file is None:
            self._confirmed = position
            return
        self._marks += 1
        try:
            await asyncio.to_thread(self._position_file.write, position, self._marks)
        except OSError as error:
            self.counts.position_failures += 1
            if not self._is_failing:
                _log.error("the position cannot be written: %s", error.strerror or error)
            self._is_failing = True
            return
        self._is_failing = False
        self._confirmed = position

    def behind_bytes(self) -> int:
        """Give how many bytes, as stored, are still to be read."""
        return sum(strand.follower.behind_bytes() for strand in self._strands.values())

    def next(self) -> list[Line] | None:
        """Give the lines that are next; empty where more must be read first, None for nothing."""
        is_alone = len(self._strands) == 1
        is_reading = False
        for strand in self._strands.values():
            if not strand.lines and strand.read(not is_alone):
                is_reading = is_reading or not strand.lines
        ready = [strand for strand in self._strands.values() if strand.lines]
        if is_reading:
            return []
        if not ready:
            return None
        return merged(ready)

    def advance(self) -> None:
        """What ``next`` gave has been taken."""
        for strand in self._strands.values():
            strand.advance()

    def look(self, now: float) -> None:
        """Find out which files there are, and which have been away for too long."""
        wanted = self._wanted.all()
        for name in wanted:
            if name in self._strands:
                continue
            if len(self._strands) >= MAX_FILES:
                if name not in self._left_out and len(self._left_out) < MAX_FILES:
                    self._left_out.add(name)
                    self.counts.refused_files += 1
                    _log.error("%s is left out: over %d files", name, MAX_FILES)
                continue
            begins_newest = self._settings.begin == "newest"
            place = self._confirmed.get(name)
            self._strands[name] = Strand(
                Follower(Path(name), place, self.counts, self._on_reject, begins_newest), now
            )
        for name, strand in list(self._strands.items()):
            if not strand.follower.waits_for:
                strand.there_at = now
            elif now - strand.there_at <= GONE_AFTER_SECONDS:
                continue
            elif name in wanted:
                # It is there, and cannot be read: its place is not to be forgotten.
                strand.follower.pass_over()
            else:
                _log.warning("%s is no longer followed: it is gone", name)
                strand.follower.close()
                del self._strands[name]
                self._confirmed = {
                    one: place for one, place in self._confirmed.items() if one != name
                }
        self.counts.files = len(self._strands)
        self.counts.waiting = sum(bool(one.follower.waits_for) for one in self._strands.values())

    def _note_complete(self, now_ns: int) -> None:
        strands = self._strands.values()
        if strands and not any(strand.follower.waits_for for strand in strands):
            delay_ns = round(self._settings.delay_seconds * 1e9)
            self._complete_ns = max(self._complete_ns, now_ns - delay_ns)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_seconds):
                await self._closed.wait()
        except TimeoutError:
            return
