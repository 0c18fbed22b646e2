"""Recordings: files of Hubble's JSON lines, plain or compressed, and standard input."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.decode import decode_block
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.source.compression import DamagedError, Read, unpack
from hubblewatch.source.lines import Batch, batches

STANDARD_INPUT = "-"


class Recording:
    """One recording. It is opened when its first line is asked for, and read once.

    ``bytes_read`` and ``bytes_total`` count bytes as stored, for a progress display;
    ``bytes_total`` is None for a pipe. ``damage`` says why the recording could not be read to its
    end, if so. Raises ConfigurationError if there is no such file or it is none.
    """

    def __init__(self, name: str, standard_input: BinaryIO | None = None) -> None:
        self.name = name
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.lines_read = 0
        self.damage = ""
        self._standard_input = standard_input
        self._path = Path(name)
        self.is_rereadable = False
        if name != STANDARD_INPUT:
            self._check()

    @property
    def place(self) -> str:
        """What the recording is called in messages and places of lines."""
        return "stdin" if self.name == STANDARD_INPUT else self.name

    def batches(self, on_reject: Callable[[Reject], None]) -> Iterator[Batch]:
        """Give the raw lines; afterwards ``damage`` tells whether that was all."""
        self.bytes_read = self.lines_read = 0
        try:
            with self._opened() as opened:
                for batch in batches(
                    unpack(self._counted(opened), self.place), self.place, on_reject
                ):
                    self.lines_read += batch.line_count
                    yield batch
        except (DamagedError, OSError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self.damage = f"{self.place} was read up to line {self.lines_read} only: {why}"

    def decoded(self, on_reject: Callable[[Reject], None]) -> Generator[list[Line], None, None]:
        """Give the lines decoded, batch by batch."""
        for source, first, count, block in self.batches(on_reject):
            yield decode_block(block, count, on_reject, source, first)

    def _check(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            raise ConfigurationError(
                f"there is no file {self.name}; check the name (- reads standard input)"
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read {self.name!r}: {_why(error)}") from None
        if stat.S_ISDIR(status.st_mode):
            raise ConfigurationError(
                f"{self.name} is a directory; name the recordings in it: {self._path / '*.jsonl'}"
            )
        if stat.S_ISREG(status.st_mode):
            self.is_rereadable = True
            self.bytes_total = status.st_size
            try:
                self._path.open("rb").close()
            except OSError as error:
                raise ConfigurationError(f"cannot read {self.name}: {_why(error)}") from None

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self.name == STANDARD_INPUT:
            yield self._standard_input or sys.stdin.buffer
        else:
            with self._path.open("rb", buffering=0) as opened:
                yield opened

    def _counted(self, opened: IO[bytes]) -> Read:
        # read1 gives what a pipe holds now: lines of a live one do not wait for a whole chunk.
        read_some = getattr(opened, "read1", opened.read)

        def read(size: int) -> bytes:
            chunk: bytes = read_some(size)
            self.bytes_read += len(chunk)
            return chunk

        return read


def open_recordings(names: list[str], standard_input: BinaryIO | None = None) -> list[Recording]:
    """Check all recordings before any is read; raise ConfigurationError for one that is not there.

    A file named twice is read once more by mistake only, so that is refused too.
    """
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ConfigurationError(f"{repeated} is named more than once; name each recording once")
    return [Recording(name, standard_input) for name in names]


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
