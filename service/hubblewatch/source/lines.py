"""Chunks of bytes to batches of lines, holding no more than one chunk and one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hubblewatch.flow.decode import MAX_LINE_BYTES
from hubblewatch.flow.newlines import count_newlines
from hubblewatch.flow.reject import EXCERPT_BYTES, Reject, RejectReason


class Batch(NamedTuple):
    """``line_count`` whole lines in one piece; ``first`` is the number of the first one, from 1.

    A line that was too long to be kept is an empty one in its place, so that numbers stay right.
    """

    source: str
    first: int
    line_count: int
    block: bytes

    @property
    def lines(self) -> list[bytes]:
        """The lines without their newline."""
        lines = self.block.split(b"\n")
        return lines[: self.line_count]


def batches(
    chunks: Iterable[bytes], source: str, on_reject: Callable[[Reject], None]
) -> Iterator[Batch]:
    """Give the lines that each chunk completes, one batch a chunk.

    The lines stay in one piece, since splitting them costs a fifth of their decoding. A last line
    without newline counts as one, unless ``chunks`` raises, which leaves it unfinished and unread.
    """
    cutter = LineCutter(source, on_reject)
    for chunk in chunks:
        batch = cutter.cut(chunk)
        if batch is not None:
            yield batch
    rest = cutter.rest()
    if rest is not None:
        yield rest


class LineCutter:
    """Cuts chunks of ``source`` where lines end; ``number`` is that of the next line."""

    def __init__(self, source: str, on_reject: Callable[[Reject], None], number: int = 1) -> None:
        self.number = number
        self._source = source
        self._on_reject = on_reject
        self._open_line = _OpenLine()

    @property
    def open_bytes(self) -> int:
        """Bytes that came since the last newline."""
        return self._open_line.length

    def cut(self, chunk: bytes) -> Batch | None:
        """Give the lines that the chunk completes; None if it completes none."""
        open_line = self._open_line
        end = chunk.rfind(b"\n") + 1
        if not end:
            open_line.extend(chunk)
            return None
        number = self.number
        if open_line:
            begin = chunk.find(b"\n")
            open_line.extend(chunk[:begin])
            block = open_line.close(self._source, number, self._on_reject) + chunk[begin:end]
        else:
            block = chunk[:end]
        count = count_newlines(chunk)
        self.number += count
        open_line.extend(chunk[end:])
        return Batch(self._source, number, count, block)

    def rest(self) -> Batch | None:
        """Give what came since the last newline as a line, at the end of all; None if nothing."""
        if not self._open_line:
            return None
        line = self._open_line.close(self._source, self.number, self._on_reject)
        self.number += 1
        return Batch(self._source, self.number - 1, 1, line)


class _OpenLine:
    """The line whose end has not been read; of one that gets too long only the begin is kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.length = 0

    def __bool__(self) -> bool:
        return self.length > 0

    def extend(self, part: bytes) -> None:
        """Take what follows of the line."""
        if not part:
            return
        self.length += len(part)
        if self.length <= MAX_LINE_BYTES:
            self._parts.append(part)
        elif len(self._parts) > 1 or len(self._parts[0]) > EXCERPT_BYTES:
            self._parts = [b"".join(self._parts)[:EXCERPT_BYTES]]

    def close(self, source: str, number: int, on_reject: Callable[[Reject], None]) -> bytes:
        """Give the whole line and begin the next; an empty one if it was rejected."""
        line, length = b"".join(self._parts), self.length
        self._parts, self.length = [], 0
        if length <= MAX_LINE_BYTES:
            return line
        on_reject(
            Reject(
                RejectReason.TOO_LONG,
                f"{source}:{number}",
                f"{length} bytes; at most {MAX_LINE_BYTES} are read",
                line[:EXCERPT_BYTES],
            )
        )
        return b""
