"""A generation that is being read: its text in chunks, cut where lines end."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from hubblewatch.flow.reject import Reject
from hubblewatch.source.compression import CHUNK_BYTES
from hubblewatch.source.export_file.generation import (
    HEAD_BYTES,
    Generation,
    Head,
    head_of,
    unpacked,
)
from hubblewatch.source.lines import Batch, LineCutter


class OpenedGeneration:
    """Reads a generation from ``offset`` (in bytes of text) on, where line ``line`` + 1 begins.

    Raises OSError if it cannot be opened.
    """

    def __init__(
        self,
        generation: Generation,
        on_reject: Callable[[Reject], None],
        offset: int = 0,
        line: int = 0,
    ) -> None:
        self.generation = generation
        self.has_ended = False
        """Whether nothing more will be written to it."""
        self.read_bytes = offset
        """Offset to which its text has been read."""
        self.has_lines = offset > 0
        """Whether any of its lines could be decoded."""
        self.newest_before = ""
        """Stamp of the newest generation before it; empty without one."""
        self._file = generation.path.open("rb", buffering=0)
        self._begin = b""
        self._skip = 0
        self._packed: Iterator[bytes] | None = None
        try:
            status = os.fstat(self._file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "it is no regular file")
            self.inode, self.device = status.st_ino, status.st_dev
            if generation.is_packed:
                self._packed = unpacked(self._file, generation.path.name)
                self._skip = offset
            elif offset:
                self._begin = os.pread(self._file.fileno(), min(HEAD_BYTES, offset), 0)
                self._file.seek(offset)
        except BaseException:
            self._file.close()
            raise
        self._cutter = LineCutter(str(generation.path), on_reject, line + 1)

    @property
    def offset(self) -> int:
        """Where the first line begins that has not been read to its end."""
        return self.read_bytes - self._cutter.open_bytes

    @property
    def line(self) -> int:
        """Number of the last line that was read to its end."""
        return self._cutter.number - 1

    def head(self, length: int) -> Head:
        """Give the head of so many bytes, all of which must have been read."""
        return head_of(self._begin, length)

    def read(self) -> tuple[int, Batch | None]:
        """Give how many bytes there were (0: none at present), and the lines that they complete.

        Raises OSError and DamagedError.
        """
        packed = self._packed
        chunk = self._file.read(CHUNK_BYTES) if packed is None else next(packed, b"")
        size = len(chunk)
        if len(self._begin) < HEAD_BYTES:
            self._begin += chunk[: HEAD_BYTES - len(self._begin)]
        if self._skip:
            skipped = min(self._skip, size)
            self._skip -= skipped
            chunk = chunk[skipped:]
        self.read_bytes += len(chunk)
        return size, self._cutter.cut(chunk)

    def rest(self) -> Batch | None:
        """Give what has no newline, once it has ended."""
        return self._cutter.rest()

    def size(self) -> int:
        """Give its bytes as stored."""
        return os.fstat(self._file.fileno()).st_size

    def is_other(self) -> bool:
        """Tell whether it has been cut off, or written anew, since it was read. Not if packed."""
        if self._packed is not None:
            return False
        size = self.size()
        if size < self.read_bytes:
            return True
        if size == self.read_bytes:
            return False
        return os.pread(self._file.fileno(), len(self._begin), 0) != self._begin

    def is_at(self, path: Path) -> bool:
        """Tell whether ``path`` is this very file; raises OSError if there is none."""
        status = path.stat()
        return (status.st_ino, status.st_dev) == (self.inode, self.device)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
