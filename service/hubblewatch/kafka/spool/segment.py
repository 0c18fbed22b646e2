"""One file of the spool: written once from begin to end, read once, then removed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from hubblewatch.kafka.spool.record import (
    DamagedFrameError,
    SpoolRecord,
    packed,
    read_record,
    skip_record,
)

MAGIC = b"HWSPOOL1"
SUFFIX = ".spool"


class Segment:
    """Some records in a file. ``bytes`` is its size, ``unread`` how many records are still to read.

    ``unreleased`` are records that were read and are not in Kafka yet. All methods raise OSError.
    """

    def __init__(self, path: Path, *, is_own: bool) -> None:
        self.path = path
        self.is_own = is_own
        """Whether this run writes it; else it was found."""
        self.bytes = 0
        self.unread = 0
        self.unreleased = 0
        self.damaged_bytes = 0
        """Bytes at its end that are no records, seen when it was found."""
        self._writing: BinaryIO | None = None
        self._reading: BinaryIO | None = None

    @classmethod
    def created(cls, path: Path) -> Segment:
        """Begin a file that was not there."""
        segment = cls(path, is_own=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        segment._writing = os.fdopen(descriptor, "wb", buffering=0)
        try:
            segment._write(MAGIC)
        except OSError:
            segment.remove()
            raise
        return segment

    @classmethod
    def found(cls, path: Path) -> Segment:
        """Take over a file that an earlier run has left."""
        segment = cls(path, is_own=False)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            segment.bytes = size
            if file.read(len(MAGIC)) != MAGIC:
                segment.damaged_bytes = size
                return segment
            try:
                while skip_record(file, size) is not None:
                    segment.unread += 1
            except DamagedFrameError as damage:
                segment.damaged_bytes = damage.length
        return segment

    @property
    def is_open(self) -> bool:
        """Whether more is written to it."""
        return self._writing is not None

    def append(self, record: SpoolRecord) -> int:
        """Write a record behind the last one; give its bytes. A half written one is cut off."""
        frame = packed(record)
        self._write(frame)
        self.unread += 1
        return len(frame)

    def seal(self) -> None:
        """Nothing more is written to it; what was shall outlast the machine's going down."""
        writing, self._writing = self._writing, None
        if writing is not None:
            with writing:
                os.fsync(writing.fileno())

    def read(self) -> SpoolRecord | None:
        """Give the next record; None if there is none. Raises DamagedFrameError, which is passed.

        What follows may be read after it, unless the damage is of all the rest.
        """
        if not self.unread:
            return None
        if self._reading is None:
            self._reading = self.path.open("rb")
            self._reading.seek(len(MAGIC))
        begin = self._reading.tell()
        try:
            found = read_record(self._reading, self.bytes)
        except DamagedFrameError as damage:
            self.unread = 0 if damage.is_rest else self.unread - 1
            self._reading.seek(begin + damage.length)
            raise
        if found is None:
            self.unread = 0
            return None
        self.unread -= 1
        return found[0]

    def remove(self) -> None:
        """Close and remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, which stays."""
        for file in (self._writing, self._reading):
            if file is not None:
                file.close()
        self._writing = self._reading = None

    def _write(self, content: bytes) -> None:
        assert self._writing is not None
        written = 0
        try:
            while written < len(content):
                written += self._writing.write(content[written:])
        except OSError:
            if written:
                os.ftruncate(self._writing.fileno(), self.bytes)
                self._writing.seek(self.bytes)
            raise
        self.bytes += len(content)
