"""Chunks of bytes to batches of lines, holding no more than one chunk and one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hubblewatch.flow.decode import MAX_LINE_BYTES
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
    number = 1
    open_line = _OpenLine()
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end:
            open_line.extend(chunk)
            continue
        if open_line:
            begin = chunk.find(b"\n")
            open_line.extend(chunk[:begin])
            block = open_line.close(source, number, on_reject) + chunk[begin:end]
        else:
            block = chunk[:end]
        count = chunk.count(b"\n")
        yield Batch(source, number, count, block)
        number += count
        open_line.extend(chunk[end:])
    if open_line:
        yield Batch(source, number, 1, open_line.close(source, number, on_reject))


class _OpenLine:
    """The line whose end has not been read; of one that gets too long only the begin is kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def __bool__(self) -> bool:
        return self._length > 0

    def extend(self, part: bytes) -> None:
        """Take what follows of the line."""
        if not part:
            return
        self._length += len(part)
        if self._length <= MAX_LINE_BYTES:
            self._parts.append(part)
        elif len(self._parts) > 1 or len(self._parts[0]) > EXCERPT_BYTES:
            self._parts = [b"".join(self._parts)[:EXCERPT_BYTES]]

    def close(self, source: str, number: int, on_reject: Callable[[Reject], None]) -> bytes:
        """Give the whole line and begin the next; an empty one if it was rejected."""
        line, length = b"".join(self._parts), self._length
        self._parts, self._length = [], 0
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
