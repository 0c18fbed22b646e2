"""The spool: records in order in files of one directory, never more than so many bytes."""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct, field

from hubblewatch.atomic_file import write_atomically
from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka.spool.losses import Losses
from hubblewatch.kafka.spool.record import DamagedFrameError, SpoolRecord
from hubblewatch.kafka.spool.segment import SUFFIX, Segment
from hubblewatch.lock_file import locked

log = logging.getLogger(__name__)

SEGMENTS = 8
"""The bound holds so many files at least: one is what goes at a time."""

MAX_SEGMENT_BYTES = 2 << 20
LOSSES_FILE = "losses.json"
LOCK_FILE = "lock"
FIRST_NUMBER = 1_000_000_000
"""Of a file in an empty spool: there are numbers before it, for what goes before the first."""


class DropReason(StrEnum):
    """Why something will not reach Kafka; a closed set, since it is a metric label."""

    FULL = "full"
    """The spool had its bytes, and the oldest went."""
    DAMAGED = "damaged"
    """What was written is not what is read; the flows in it cannot be counted."""
    UNREADABLE = "unreadable"
    """The disk gives an error."""
    FOREIGN = "foreign"
    """It is for a topic that the settings do not name any more."""


class SpoolCounts(Struct):
    """Totals since the start, and what is in the spool now."""

    bytes: int = 0
    envelopes: int = 0
    oldest_ms: int = 0
    """When the oldest of them was handed in, in epoch milliseconds; 0 if there is none."""
    found: int = 0
    """Envelopes that an earlier run had left."""
    spooled: int = 0
    replayed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Envelopes, or stretches of damage, by DropReason."""
    dropped_flows: Counter[str] = field(default_factory=Counter)
    dropped_bytes: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    """Times that the directory or disk could not be used."""


class Spool:
    """A queue on disk. ``append`` at one end, ``read`` at the other, ``release`` once Kafka has it.

    What was read and not released is still there at the next start. ``losses`` is what had to be
    dropped and is not told yet.
    """

    def __init__(self, directory: Path, max_bytes: int, flow_topic: str) -> None:
        """Take what is there; raises OSError, and ConfigurationError if another process has it."""
        self.counts = SpoolCounts()
        self.losses = Losses()
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = min(MAX_SEGMENT_BYTES, max_bytes // SEGMENTS)
        self._flow_topic = flow_topic
        self._segments: deque[Segment] = deque()
        self._read: deque[Segment] = deque()
        """Of each record that was read and is not released, its segment."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _held(directory)
        try:
            self._find()
        except OSError:
            self.close()
            raise

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to read."""
        return not any(segment.unread for segment in self._segments)

    def append(self, record: SpoolRecord) -> None:
        """Put a record behind the last one; the oldest go if need be. Raises OSError."""
        segments = self._segments
        try:
            tail = segments[-1] if segments and segments[-1].is_open else None
            if tail is not None and tail.bytes >= self._segment_bytes:
                tail.seal()
                tail = None
            if tail is None:
                number = int(segments[-1].path.stem) + 1 if segments else FIRST_NUMBER
                tail = Segment.created(self._directory / f"{number:020d}{SUFFIX}")
                segments.append(tail)
            tail.append(record)
        except OSError:
            self.counts.failures += 1
            raise
        if not self.counts.oldest_ms:
            self.counts.oldest_ms = record.timestamp_ms
        self.counts.spooled += 1
        self._drop_beyond_bound()
        self._count()

    def still_there(self) -> list[bool]:
        """Tell of each record that was read and not released whether its file is still there.

        The bound may have taken it, since what was read is on its way.
        """
        return [segment in self._segments for segment in self._read]

    def begin_file(self) -> None:
        """Let what comes next go into a file of its own; raises OSError."""
        if self._segments:
            self._segments[-1].seal()

    def put_before(self, records: list[SpoolRecord], released: int = 0) -> None:
        """Put records before the first one, and release as many as are among them; raises OSError.

        Nothing may be read after this.
        """
        if not records:
            return
        first = int(self._segments[0].path.stem) if self._segments else FIRST_NUMBER + 1
        segment = Segment.created(self._directory / f"{first - 1:020d}{SUFFIX}")
        self._segments.appendleft(segment)
        for record in records:
            segment.append(record)
        segment.seal()
        self.counts.spooled += len(records) - released
        for _ in range(released):
            self._read.popleft().unreleased -= 1
        for emptied in [one for one in self._segments if not (one.unread or one.unreleased)]:
            self._segments.remove(emptied)
            self._remove(emptied)
        self._drop_beyond_bound()
        self._count()

    def read(self) -> tuple[SpoolRecord, bool] | None:
        """Give the oldest record not read yet, and whether this run wrote it; None if none is left.

        What is damaged is counted and passed by.
        """
        for segment in self._segments:
            while segment.unread:
                try:
                    record = segment.read()
                except DamagedFrameError as damage:
                    self._drop(DropReason.DAMAGED, 1, damage.length)
                    log.warning("%s: %s", segment.path, damage)
                    continue
                except OSError as error:
                    self.counts.failures += 1
                    self._drop(DropReason.UNREADABLE, segment.unread, segment.bytes)
                    log.error("cannot read %s: %s", segment.path, error.strerror)
                    segment.unread = 0
                    continue
                if record is not None:
                    segment.unreleased += 1
                    self._read.append(segment)
                    self.counts.oldest_ms = record.timestamp_ms
                    return record, segment.is_own
        self._sweep()
        return None

    def release(self) -> None:
        """The oldest record that was read is in Kafka, or shall not go there."""
        self._read.popleft().unreleased -= 1
        self._sweep()

    def refuse(self, record: SpoolRecord) -> None:
        """The record that was read last shall not go to Kafka: it is for another topic."""
        self._read.pop().unreleased -= 1
        self._drop(DropReason.FOREIGN, 1, len(record.value))
        self._sweep()

    def tell_losses(self) -> None:
        """The losses that were under way are in Kafka."""
        self.losses.told()
        if self.losses:
            self._write_losses()
            return
        try:
            (self._directory / LOSSES_FILE).unlink(missing_ok=True)
        except OSError as error:
            self.counts.failures += 1
            log.warning("cannot remove %s: %s", LOSSES_FILE, error.strerror)

    def close(self) -> None:
        """Give up the directory; what is not released stays there."""
        if self._lock < 0:
            return
        for segment in self._segments:
            try:
                segment.seal()
            except OSError as error:
                log.warning("cannot make %s last: %s", segment.path, error.strerror)
            segment.close()
        os.close(self._lock)
        self._lock = -1

    def _find(self) -> None:
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            if not path.stem.isdecimal():
                continue
            segment = Segment.found(path)
            if segment.damaged_bytes:
                self._drop(DropReason.DAMAGED, 1, segment.damaged_bytes)
                log.warning(
                    "the last %d bytes of %s are damaged; %d records before them are not",
                    segment.damaged_bytes,
                    path,
                    segment.unread,
                )
                segment.bytes -= segment.damaged_bytes
            self.counts.found += segment.unread
            self._segments.append(segment)
        losses = self._directory / LOSSES_FILE
        if losses.exists():
            try:
                self.losses.decode(losses.read_bytes())
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._drop(DropReason.DAMAGED, 1, losses.stat().st_size)
                log.warning("%s is damaged: %s", losses, error)
                losses.unlink()
        self._drop_beyond_bound()
        self._sweep()
        probe = self._directory / ".probe"
        probe.write_bytes(b"hubblewatch")  # a disk that is full or read-only says so at the start
        probe.unlink()
        if self.counts.found:
            self.counts.oldest_ms = round(self._segments[0].path.stat().st_mtime * 1000)
            log.warning("%d records of an earlier run go first", self.counts.found)

    def _drop_beyond_bound(self) -> None:
        """Let the oldest segments go, but not the last one, which is being written."""
        total = sum(segment.bytes for segment in self._segments)
        has_dropped = False
        while total > self._max_bytes and len(self._segments) > 1:
            segment = self._segments.popleft()
            total -= segment.bytes
            has_dropped = bool(segment.unread) or has_dropped
            for record in self._unread(segment):
                flows = self.losses.take(record) if record.topic == self._flow_topic else 0
                self._drop(DropReason.FULL, 1, len(record.value), flows)
            self._remove(segment)
        if has_dropped:
            self._write_losses()

    def _write_losses(self) -> None:
        try:
            write_atomically(self._directory / LOSSES_FILE, self.losses.encode())
        except OSError as error:
            self.counts.failures += 1
            log.warning("cannot write %s: %s", LOSSES_FILE, error.strerror)

    def _unread(self, segment: Segment) -> Iterator[SpoolRecord]:
        while segment.unread:
            try:
                record = segment.read()
            except DamagedFrameError as damage:
                self._drop(DropReason.DAMAGED, 1, damage.length)
                continue
            except OSError:
                self.counts.failures += 1
                self._drop(DropReason.UNREADABLE, segment.unread, segment.bytes)
                return
            if record is not None:
                yield record

    def _drop(self, reason: DropReason, envelopes: int, size: int, flows: int = 0) -> None:
        counts = self.counts
        counts.dropped[reason] += envelopes
        counts.dropped_bytes[reason] += size
        counts.dropped_flows[reason] += flows

    def _sweep(self) -> None:
        """Remove the files of which all is in Kafka, the one being written when it is the last."""
        segments = self._segments
        while segments and not (segments[0].unread or segments[0].unreleased):
            self._remove(segments.popleft())
        if not segments:
            self.counts.oldest_ms = 0
        self._count()

    def _remove(self, segment: Segment) -> None:
        try:
            segment.remove()
        except OSError as error:
            self.counts.failures += 1
            log.warning("cannot remove %s: %s", segment.path, error.strerror)

    def _count(self) -> None:
        counts = self.counts
        counts.bytes = sum(segment.bytes for segment in self._segments)
        counts.envelopes = sum(x.unread + x.unreleased for x in self._segments)


def _held(directory: Path) -> int:
    try:
        return locked(directory / LOCK_FILE)
    except BlockingIOError:
        raise ConfigurationError(
            f"export.spool.directory {directory} is in use by another exporter; each needs its own"
        ) from None
