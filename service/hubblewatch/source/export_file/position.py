"""How far each file's lines are at their destination, kept in a file over restarts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from hubblewatch.atomic_file import write_atomically
from hubblewatch.errors import ConfigurationError
from hubblewatch.lock_file import locked
from hubblewatch.source.export_file.generation import Head

VERSION = 1
MAX_BYTES = 4 << 20


class Place(Struct, frozen=True, omit_defaults=True):
    """How far one file has been read: to ``offset`` of the generation with this head.

    ``offset`` counts bytes of text, also in a compressed one. ``newest_ns`` and ``rate`` (flows a
    second) tell how much is missing if that generation is gone, ``newest_before`` behind which
    rotated ones to go on then.
    """

    inode: int
    head: Head
    offset: int
    lines: int = 0
    newest_ns: int = 0
    rate: float = 0.0
    node: str = ""
    newest_before: str = ""


Position = Mapping[str, Place]
"""The place in each file, by its path."""


class _Stored(Struct):
    version: int
    files: dict[str, Place]


class PositionFile:
    """The position on a disk. A write is whole or not there, also when the machine goes down.

    Raises ConfigurationError where the file is none or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._written = 0

    def read(self) -> dict[str, Place]:
        """Give what was written last; empty if nothing ever was."""
        try:
            with self._path.open("rb") as file:
                stored = msgspec.json.decode(file.read(MAX_BYTES), type=_Stored)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigurationError(
                f"cannot read the position file {self._path}: {error.strerror}"
            ) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{self._path} is no position file ({error}); name another file, or remove it to "
                "begin with the oldest lines"
            ) from None
        if stored.version != VERSION:
            raise ConfigurationError(
                f"the position file {self._path} is of another version of hubblewatch "
                f"({stored.version}); remove it to begin with the oldest lines"
            )
        return stored.files

    def check(self) -> None:
        """Make sure that it can be written."""
        try:
            self.write(self.read(), 0)
        except OSError as error:
            raise _not_writable(self._path, error) from None

    def write(self, position: Position, number: int) -> None:
        """Put ``position`` in place of what is there, unless a later ``number`` has been written.

        May be called from several threads; raises OSError.
        """
        content = msgspec.json.encode(_Stored(VERSION, dict(position)))
        with self._lock:
            if number < self._written:
                return
            write_atomically(self._path, content)
            self._written = number


def held(path: Path) -> int:
    """Keep other processes from the position file ``path`` until the descriptor given is closed.

    Two that write one would each put their own place over the other's, and a restart would begin
    too early or too late. Raises ConfigurationError where another has it.
    """
    try:
        # Not the file itself: each write puts another in its place.
        return locked(path.with_name(f".{path.name}.lock"))
    except BlockingIOError:
        raise ConfigurationError(
            f"the position file {path} is in use by another exporter; each needs its own "
            "(export.follow.position_file)"
        ) from None
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"cannot write the position file {path}: {error.strerror}; its directory must be there "
        "and writable"
    )
