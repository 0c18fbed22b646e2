"""How far each file's lines are at their destination, kept in a file over restarts."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from hubblewatch.errors import ConfigurationError
from hubblewatch.source.export_file.generation import Head

VERSION = 1
MAX_BYTES = 4 << 20


class Place(Struct, frozen=True, omit_defaults=True):
    """How far one file has been read: to ``offset`` of the generation with this head.

    ``offset`` counts bytes of text, also in a compressed one. ``newest_ns`` and ``rate`` (flows a
    second) tell how much is missing if that generation is gone.
    """

    inode: int
    head: Head
    offset: int
    lines: int = 0
    newest_ns: int = 0
    rate: float = 0.0
    node: str = ""


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
            raise ConfigurationError(
                f"cannot write the position file {self._path}: {error.strerror}; its directory "
                "must be there and writable"
            ) from None

    def write(self, position: Position, number: int) -> None:
        """Put ``position`` in place of what is there, unless a later ``number`` has been written.

        May be called from several threads; raises OSError.
        """
        content = msgspec.json.encode(_Stored(VERSION, dict(position)))
        with self._lock:
            if number < self._written:
                return
            beside = self._path.with_name(f".{self._path.name}.new")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            _sync_directory(self._path.parent)
            self._written = number


def _sync_directory(path: Path) -> None:
    """Let the new name outlast the machine's going down."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
