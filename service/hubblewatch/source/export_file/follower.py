"""One export file followed through its generations, however they change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from hubblewatch.flow.decode import decode_block
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.source.compression import DamagedError
from hubblewatch.source.export_file.counts import FileCounts
from hubblewatch.source.export_file.generation import (
    Generation,
    UnreadableError,
    find,
    generations,
    inode_of,
    last_line_end,
    named_otherwise,
)
from hubblewatch.source.export_file.opened import OpenedGeneration
from hubblewatch.source.export_file.pace import Pace
from hubblewatch.source.export_file.position import Place
from hubblewatch.source.lines import Batch

ATTEMPTS = 3
"""Times to look again at once when files change while they are being looked at."""

_log = logging.getLogger(__name__)


class Follower:
    """Reads one file, its rotated generations first, from ``place`` on; without, from the oldest.

    ``begins_newest``: without a place, begin at the end of the present file instead. It is asked
    for lines; nothing happens in between.
    """

    def __init__(
        self,
        path: Path,
        place: Place | None,
        counts: FileCounts,
        on_reject: Callable[[Reject], None],
        begins_newest: bool = False,
    ) -> None:
        self.path = path
        self.place = place
        """How far its lines have been taken."""
        self.waits_for = ""
        """Why there is nothing to read from; empty if there is."""
        self._counts = counts
        self._on_reject = on_reject
        self._begins_newest = begins_newest and place is None
        self._opened: OpenedGeneration | None = None
        self._finished: OpenedGeneration | None = None
        self._resumes = place is not None
        self._has_gap = False
        self._in_the_way: Generation | None = None
        self._passed_over: set[tuple[Path, int]] = set()
        self._pace = Pace() if place is None else Pace(place.newest_ns, place.rate, place.node)
        self._reached: tuple[OpenedGeneration, int, int] | None = None

    @property
    def newest_ns(self) -> int:
        """Newest event time; 0 before the first."""
        return self._pace.newest_ns

    def read(self) -> list[Line] | None:
        """Give the next lines, at most a chunk of them; None when there is nothing at present.

        An empty list stands for a step on the way to more.
        """
        opened = self._opened
        if opened is None:
            opened = self._opened = self._open_next()
            if opened is None:
                return None
        try:
            if not opened.generation.is_rotated and opened.is_other():
                # Looked at also while there is more to read: whoever waits for Kafka may be minutes
                # behind, and what took its place may be longer by then.
                return self._begin_anew(opened)
            size, batch = opened.read()
        except (OSError, DamagedError) as error:
            if isinstance(error, OSError) and not opened.generation.is_rotated:
                self._let_go(error)
                return None
            _log.warning("%s cannot be read to its end: %s", opened.generation.path, error)
            self._has_gap = True
            # What has no newline there is no line.
            self._put_aside(opened)
            return []
        self._wait(None)
        if not size:
            return self._at_end(opened)
        self._counts.bytes += size
        return [] if batch is None else self._decoded(opened, batch)

    def advance(self) -> None:
        """All lines that were given have been taken."""
        if self._reached is None:
            return
        opened, offset, line = self._reached
        self._reached = None
        pace = self._pace
        self.place = Place(
            opened.inode,
            opened.head(offset),
            offset,
            line,
            pace.newest_ns,
            round(pace.usual_rate, 3),
            pace.node,
            opened.newest_before,
        )

    def pass_over(self) -> None:
        """A rotated file that has been in the way for too long is left out, which is a gap."""
        one = self._in_the_way
        if one is None:
            return
        _log.error("%s is left out: it cannot be opened", one.path)
        self._in_the_way = None
        self._passed_over.add((one.path, inode_of(one)))
        self._has_gap = True

    def behind_bytes(self) -> int:
        """Give how many bytes, as stored, are still to be read; a compressed file counts whole."""
        opened = self._opened
        try:
            listing = generations(self.path)
            if opened is None or opened.generation.is_rotated:
                done = opened.generation.stamp if opened is not None else self._stamp(listing)
                later = [one for one in listing if not one.is_rotated or one.stamp > done]
                behind = sum(one.path.stat().st_size for one in later)
            else:
                behind = 0
                at = next((n for n, one in enumerate(listing) if opened.is_at(one.path)), None)
                if at is not None:
                    behind = sum(one.path.stat().st_size for one in listing[at + 1 :])
            if opened is not None:
                rest = 0 if opened.generation.is_packed else opened.read_bytes
                behind += max(0, opened.size() - rest)
        except OSError:
            return 0
        return behind

    def close(self) -> None:
        """Let go of the files."""
        for one in (self._opened, self._finished):
            if one is not None:
                one.close()
        self._opened = self._finished = None

    def _at_end(self, opened: OpenedGeneration) -> list[Line] | None:
        """There is nothing more in ``opened``: wait, or go on to the next generation."""
        if opened.generation.is_rotated or opened.has_ended:
            return self._finish(opened)
        try:
            if opened.is_other():
                return self._begin_anew(opened)
            is_same = opened.is_at(self.path)
        except OSError as error:
            # The agent may go on writing to what has no name any more.
            self._wait(error)
            return None
        self._wait(None)
        if is_same:
            return None
        # What was written just before is read first.
        opened.has_ended = True
        return []

    def _finish(self, opened: OpenedGeneration) -> list[Line]:
        batch = opened.rest()
        lines = [] if batch is None else self._decoded(opened, batch)
        if opened.read_bytes and not opened.has_lines:
            _log.warning("%s holds no line that can be read", opened.generation.path)
            self._has_gap = True
        self._put_aside(opened)
        return lines

    def _put_aside(self, opened: OpenedGeneration) -> None:
        self._counts.rotations += 1
        self._opened = None
        finished = self._finished
        if finished is not None and not opened.read_bytes and not opened.generation.is_rotated:
            # It was empty: only the one before can be told from others.
            opened.close()
            return
        if finished is not None:
            finished.close()
        # It stays open, so that its inode is not given to another.
        self._finished = opened

    def _begin_anew(self, opened: OpenedGeneration) -> list[Line]:
        _log.warning("%s was cut off or written anew; it is read from its begin", self.path)
        self._counts.truncations += 1
        self._has_gap = True
        opened.close()
        self._opened = None
        try:
            self._opened = OpenedGeneration(Generation(self.path, "", False), self._on_reject)
        except OSError as error:
            self._wait(error)
        return []

    def _let_go(self, error: OSError) -> None:
        """The present file cannot be read now: open it again later, where its lines were taken to.

        Nothing is missing yet. If it is rotated first, it is one that may be given up.
        """
        self.close()
        self._reached = None
        self._resumes = self.place is not None
        self._wait(error)

    def _open_next(self) -> OpenedGeneration | None:
        """Open what comes after the finished generation; None if it is not there yet."""
        trouble: OSError | None = None
        self._in_the_way = None
        for _ in range(ATTEMPTS):
            try:
                listing = generations(self.path)
                opened = self._open_of(listing)
                if opened is None:
                    trouble = FileNotFoundError(2, "there is no such file yet")
                    break
                if opened.generation.is_rotated or _is_present(opened, self.path, listing):
                    opened.newest_before = _newest_before(opened.generation, listing)
                    self._resumes = self._begins_newest = False
                    return opened
                opened.close()  # rotated in this moment
            except FileNotFoundError as error:
                trouble = error  # compressed or removed in this moment, or nothing was ever there
            except OSError as error:
                trouble = error
                break
        if isinstance(trouble, UnreadableError):
            self._in_the_way = trouble.generation
        if trouble is not None:
            self._wait(trouble)
        return None

    def _open_of(self, listing: list[Generation]) -> OpenedGeneration | None:
        seen = listing = self._without_passed_over(listing)
        if not listing:
            return None
        place, finished = self.place, self._finished
        begin, offset, line, has_gap = 0, 0, 0, False
        at: int | None = None
        if finished is not None:
            at, listing = self._last_read(listing)
            has_gap = at is None and finished.read_bytes > 0
            begin = _first_after(finished.newest_before, listing) if at is None else at + 1
        elif self._resumes and place is not None:
            at, listing = self._last_read(listing)
            has_gap = at is None
            if at is None:
                begin = _first_after(place.newest_before, listing)
            else:
                begin, offset, line = at, place.offset, place.lines
        elif self._begins_newest:
            begin = len(listing) - 1
            offset = last_line_end(listing[begin])
        if begin >= len(listing):
            return None
        opened = self._open(listing[begin], offset, line)
        if listing is not seen and self._last_read(seen) != (at, listing):
            # Such a name may be another file's by now.
            opened.close()
            raise FileNotFoundError(2, "it was rotated in this moment")
        if opened.is_other():
            opened.close()
            opened, has_gap = self._open(listing[begin]), True
            self._counts.truncations += 1
        if has_gap:
            _log.warning("%s was rotated away or cut off before it was read to its end", self.path)
            self._has_gap = True
        return opened

    def _open(self, generation: Generation, offset: int = 0, line: int = 0) -> OpenedGeneration:
        try:
            return OpenedGeneration(generation, self._on_reject, offset, line)
        except FileNotFoundError:
            raise
        except OSError as error:
            if generation.is_rotated:
                raise UnreadableError(generation, error) from error
            raise

    def _without_passed_over(self, listing: list[Generation]) -> list[Generation]:
        if not self._passed_over:
            return listing
        return [one for one in listing if (one.path, inode_of(one)) not in self._passed_over]

    def _last_read(self, listing: list[Generation]) -> tuple[int | None, list[Generation]]:
        """Give the place of what was read last, and the listing it is in: not the agent's own where
        another has renamed it.
        """
        at = self._place_in(listing)
        if at is None and (others := named_otherwise(self.path)):
            present = [one for one in listing if not one.is_rotated]
            others = self._without_passed_over(others) + present
            if (found := self._place_in(others)) is not None:
                return found, others
        return at, listing

    def _place_in(self, listing: list[Generation]) -> int | None:
        if self._finished is not None:
            return self._place_of(self._finished, listing)
        place = self.place
        return None if place is None else find(listing, place.head, place.inode)

    def _place_of(self, finished: OpenedGeneration, listing: list[Generation]) -> int | None:
        stamp = finished.generation.stamp
        if stamp:
            return next((at for at, one in enumerate(listing) if one.stamp == stamp), None)
        by_inode = next((at for at, one in enumerate(listing) if finished.is_at(one.path)), None)
        if by_inode is not None:
            return by_inode
        return find(listing, finished.head(finished.read_bytes), finished.inode)

    def _stamp(self, listing: list[Generation]) -> str:
        """Give the stamp after which generations are unread; empty for all."""
        finished = self._finished
        at = None if finished is None else self._place_of(finished, listing)
        return "" if at is None else listing[at].stamp

    def _decoded(self, opened: OpenedGeneration, batch: Batch) -> list[Line]:
        source, first, count, block = batch
        lines = decode_block(block, count, self._on_reject, source, first)
        opened.has_lines = opened.has_lines or bool(lines)
        self._reached = (opened, opened.offset, opened.line)
        self._counts.lines += len(lines)
        if not lines:
            return lines
        if self._has_gap:
            self._has_gap = False
            told, number = self._pace.gap_before(lines)
            self._counts.gaps += 1
            self._counts.lost += number
            lines = told + lines
        self._pace.take(lines)
        return lines

    def _wait(self, error: OSError | None) -> None:
        """Note why there is nothing to read from, and say so once."""
        why = "" if error is None else error.strerror or str(error)
        if why and not self.waits_for:
            _log.warning("waiting for %s: %s", self.path, why)
        elif self.waits_for and not why:
            _log.info("%s is there", self.path)
        self.waits_for = why


def _first_after(stamp: str, listing: list[Generation]) -> int:
    """Give the place of the first generation after those rotated until ``stamp``."""
    later = (at for at, one in enumerate(listing) if not one.is_rotated or one.stamp > stamp)
    return next(later, len(listing))


def _newest_before(generation: Generation, listing: list[Generation]) -> str:
    stamp = generation.stamp
    return max((one.stamp for one in listing if not stamp or one.stamp < stamp), default="")


def _is_present(opened: OpenedGeneration, path: Path, listing: list[Generation]) -> bool:
    """Tell whether the present file was opened, and not one that came after those listed."""
    try:
        stamps = [one.stamp for one in generations(path)]
        return stamps == [one.stamp for one in listing] and opened.is_at(path)
    except OSError:
        return False
