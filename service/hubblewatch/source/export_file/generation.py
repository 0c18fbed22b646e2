"""The generations of one export file: rotated ones by the time in their names, then the present."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from hubblewatch.errors import ConfigurationError
from hubblewatch.source.compression import DamagedError, unpack

HEAD_BYTES = 1_024
"""So many first bytes tell one generation from another: the first line has its time and uuid."""

_ROTATED = r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}"
"""What lumberjack, which rotates for the agent, puts between a file's stem and its suffix."""

_OTHERWISE_ROTATED = r"[.-](\d[\d.:_T-]*)"
"""What others put there or behind: logrotate ``.1`` or ``-20261128``, the kubelet
``.20261128-101112``."""

_COUNTER_DIGITS = 7
"""So many digits at most count the files, from the newest on; more are a time."""

_PACKED = ".gz"
_ROTATED_NAME = re.compile(rf".*{_ROTATED}(?:\.[^.]*)?(?:\.gz)?", re.DOTALL)


class Head(NamedTuple):
    """The first ``length`` bytes of a generation's text, as a digest."""

    length: int
    digest: str


class Generation(NamedTuple):
    """One file; ``stamp`` is when the agent rotated it, by its name; empty for all others."""

    path: Path
    stamp: str
    is_rotated: bool

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed."""
        return self.is_rotated and self.path.name.endswith(_PACKED)


class UnreadableError(OSError):
    """A rotated generation is there, and cannot be opened."""

    def __init__(self, generation: Generation, error: OSError) -> None:
        super().__init__(error.errno, f"{generation.path.name}: {error.strerror or error}")
        self.generation = generation


def is_rotated(name: str) -> bool:
    """Tell whether a file's name is that of a rotated one."""
    return _ROTATED_NAME.fullmatch(name) is not None


def generations(path: Path) -> list[Generation]:
    """Give all generations of ``path`` that are there, the oldest first; raises OSError.

    Of one that is being compressed that is the plain one, which is whole until it is removed. Of a
    link they are beside the file that it leads to, where the agent renames it.
    """
    path, stem, suffix = _file_and_forms(path)
    found, is_present = _found(path, rf"{stem}({_ROTATED}){suffix}(\.gz)?")
    rotated = [Generation(found[stamp], stamp, True) for stamp in sorted(found)]
    return [*rotated, Generation(path, "", False)] if is_present else rotated


def named_otherwise(path: Path) -> list[Generation]:
    """Give the rotated files of ``path`` that others than the agent have named, as ``generations``.

    Their names may pass on from file to file.
    """
    path, stem, suffix = _file_and_forms(path)
    found, _ = _found(path, rf"{stem}(?:{suffix})?{_OTHERWISE_ROTATED}(?:{suffix})?(\.gz)?")
    return [
        Generation(found[name], "", True)
        for name in sorted(found, key=_age)
        if not is_rotated(found[name].name)
    ]


def _file_and_forms(path: Path) -> tuple[Path, str, str]:
    """Give what ``path`` leads to, with the forms of its name's stem and suffix."""
    path = Path(os.path.realpath(path))  # Path.resolve raises at a circle of links
    return path, re.escape(path.name.removesuffix(path.suffix)), re.escape(path.suffix)


def _found(path: Path, form: str) -> tuple[dict[str, Path], bool]:
    """Give files beside ``path`` by what tells them apart, and whether ``path`` is there."""
    pattern = re.compile(form)
    found: dict[str, Path] = {}
    is_present = False
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name == path.name:
                is_present = True
            elif (match := pattern.fullmatch(entry.name)) and entry.is_file():
                stamp = match[1]
                if stamp not in found or match[2] is None:
                    found[stamp] = path.parent / entry.name
    return found, is_present


def _age(stamp: str) -> tuple[int, str]:
    """Order what tells otherwise named files apart from the oldest on."""
    is_counter = stamp.isdecimal() and len(stamp) <= _COUNTER_DIGITS
    return (-int(stamp), "") if is_counter else (0, stamp)


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
                unpacked(file, generation.path.name)
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


def unpacked(file: FileIO, name: str) -> Iterator[bytes]:
    """Give the text of a compressed generation in chunks.

    Raises DamagedError, also where it is something else: nobody stands by to unpack it.
    """
    if not os.fstat(file.fileno()).st_size:
        raise DamagedError("it is empty")
    try:
        chunks = unpack(file.read, name)
    except ConfigurationError:
        raise DamagedError("it is neither gzip, zstd nor text") from None
    yield from chunks


def find(listing: list[Generation], head: Head, inode: int) -> int | None:
    """Give the place in ``listing`` of the generation with this head; None if it is gone.

    One with the same inode is looked at first, which mostly is it; inodes alone are used again.
    Raises OSError if it is not found and a generation cannot be read.
    """
    if not head.length:
        return None
    trouble: OSError | None = None
    for at in sorted(range(len(listing)), key=lambda at: (inode_of(listing[at]) != inode, -at)):
        try:
            if begins_with(listing[at], head):
                return at
        except OSError as error:
            one = listing[at]
            trouble = trouble or (UnreadableError(one, error) if one.is_rotated else error)
    if trouble is not None:
        raise trouble
    return None


def inode_of(generation: Generation) -> int:
    """Give its inode; -1 if it is gone."""
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
