"""The generations of one export file: rotated ones by the time in their names, then the present."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from hubblewatch.source.compression import DamagedError, unpack

HEAD_BYTES = 1_024
"""So many first bytes tell one generation from another: the first line has its time and uuid."""

_ROTATED = r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}"
"""What lumberjack, which rotates for the agent, puts between a file's stem and its suffix."""

_PACKED = ".gz"
_ROTATED_NAME = re.compile(rf".*{_ROTATED}(?:\.[^.]*)?(?:\.gz)?", re.DOTALL)


class Head(NamedTuple):
    """The first ``length`` bytes of a generation's text, as a digest."""

    length: int
    digest: str


class Generation(NamedTuple):
    """One file; ``stamp`` is when it was rotated, as its name says, and empty for the present."""

    path: Path
    stamp: str

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed."""
        return bool(self.stamp) and self.path.name.endswith(_PACKED)


def is_rotated(name: str) -> bool:
    """Tell whether a file's name is that of a rotated one."""
    return _ROTATED_NAME.fullmatch(name) is not None


def generations(path: Path) -> list[Generation]:
    """Give all generations of ``path`` that are there, the oldest first; raises OSError.

    Of one that is being compressed that is the plain one, which is whole until it is removed. Of a
    link they are beside the file that it leads to, where the agent renames it.
    """
    path = Path(os.path.realpath(path))  # Path.resolve raises at a circle of links
    suffix = path.suffix
    stem = path.name.removesuffix(suffix) if suffix else path.name
    form = re.compile(rf"{re.escape(stem)}({_ROTATED}){re.escape(suffix)}(\.gz)?")
    found: dict[str, Generation] = {}
    is_present = False
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name == path.name:
                is_present = True
            elif match := form.fullmatch(entry.name):
                stamp = match[1]
                if stamp not in found or match[2] is None:
                    found[stamp] = Generation(path.parent / entry.name, stamp)
    rotated = [found[stamp] for stamp in sorted(found)]
    return [*rotated, Generation(path, "")] if is_present else rotated


def head_of(begin: bytes, length: int) -> Head:
    """Give the head of a text that begins with ``begin``, of which ``length`` bytes are read."""
    kept = begin[: min(length, HEAD_BYTES)]
    return Head(len(kept), hashlib.blake2b(kept, digest_size=16).hexdigest())


def begins_with(generation: Generation, head: Head) -> bool:
    """Tell whether the generation has this head; False also if it is no longer there.

    Raises OSError where it cannot be read.
    """
    try:
        with generation.path.open("rb", buffering=0) as file:
            begin = b""
            chunks = (
                unpack(file.read, generation.path.name)
                if generation.is_packed
                else iter(lambda: file.read(head.length), b"")
            )
            for chunk in chunks:
                begin += chunk
                if len(begin) >= head.length:
                    break
    except (FileNotFoundError, DamagedError):
        return False
    return len(begin) >= head.length and head_of(begin, head.length) == head


def find(listing: list[Generation], head: Head, inode: int) -> int | None:
    """Give the place in ``listing`` of the generation with this head; None if it is gone.

    One with the same inode is looked at first, which mostly is it; inodes alone are used again.
    """
    if not head.length:
        return None
    order = sorted(range(len(listing)), key=lambda at: (_inode(listing[at]) != inode, -at))
    return next((at for at in order if begins_with(listing[at], head)), None)


def _inode(generation: Generation) -> int:
    try:
        return generation.path.stat().st_ino
    except OSError:
        return -1


def last_line_end(generation: Generation) -> int:
    """Give the offset behind the last newline; 0 for a compressed one, or without any."""
    if generation.is_packed:
        return 0
    with generation.path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        while end:
            begin = max(0, end - 65_536)
            found = os.pread(file.fileno(), end - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0
