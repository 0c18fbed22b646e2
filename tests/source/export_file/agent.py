"""An agent's exporter: writes lines and rotates as lumberjack does."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tests.builders import flow

from hubblewatch.flow.schema import Line
from hubblewatch.settings import FollowSettings
from hubblewatch.source.export_file.live import FollowedFiles

FIRST_ROTATION = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Agent:
    """Writes flows ``0``, ``1``, … (their uuids, with ``prefix``), ten a second of event time."""

    def __init__(self, path: Path, prefix: str = "", node: str = "node-a") -> None:
        self.path = path
        self.written: list[str] = []
        self.rotated: list[Path] = []
        self.renames = 0
        self._prefix = prefix
        self._node = node

    def lines(self, count: int) -> bytes:
        """The next lines, not written yet."""
        text = b""
        for _ in range(count):
            number = len(self.written)
            self.written.append(f"{self._prefix}{number}")
            text += flow(at=number / 10, uuid=self.written[-1], node=self._node) + b"\n"
        return text

    def write(self, count: int = 1) -> None:
        self.append(self.lines(count))

    def append(self, text: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text)

    def rotate(self, backups: int = 100, is_packed: bool = False) -> Path:
        """Rename the file, begin a new one, and remove the oldest beyond ``backups``."""
        stamp = FIRST_ROTATION + timedelta(milliseconds=len(self.rotated))
        text = stamp.strftime("%Y-%m-%dT%H-%M-%S.") + f"{stamp.microsecond // 1000:03d}"
        rotated = self.path.with_name(f"{self.path.stem}-{text}{self.path.suffix}")
        self.path.rename(rotated)
        self.path.touch()
        self.rotated.append(rotated)
        if is_packed:
            self.pack(rotated)
        for old in self.rotated[: max(0, len(self.rotated) - backups)]:
            old.unlink(missing_ok=True)
            packed(old).unlink(missing_ok=True)
        return rotated

    def rename(self, form: str = ".{}", is_packed: bool = False) -> None:
        """Rotate as others do: by ``form``, with a time or, if it is ``.{}``, with a counter."""
        names = [self.path.with_name(self.path.name + f".{number}") for number in range(1, 99)]
        if form == ".{}":
            for old, new in reversed(list(pairwise(names))):
                for one, other in ((old, new), (packed(old), packed(new))):
                    if one.exists():
                        one.rename(other)
        else:
            names[0] = self.path.with_name(self.path.name + form.format(20261100 + self.renames))
        self.renames += 1
        self.path.rename(names[0])
        self.path.touch()
        if is_packed:
            self.pack(names[0])

    def pack(self, rotated: Path) -> None:
        """Compress a rotated file."""
        packed(rotated).write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()


def packed(path: Path) -> Path:
    return path.with_name(path.name + ".gz")


READERS: list[Reader] = []
"""Those of this test, to be released at its end."""


class Reader:
    """Follows files step by step, without a loop, a clock that only moves when told."""

    def __init__(
        self, files: list[str], position: Path | None = None, begin: str = "oldest"
    ) -> None:
        self.rejects: list[object] = []
        self.now = 1_000.0
        self.lines: list[Line] = []
        settings = FollowSettings.model_validate(
            {"files": files, "position_file": position, "begin": begin}
        )
        self.source = FollowedFiles(
            settings, self.rejects.append, lambda: int(self.now * 1e9), lambda: self.now
        )
        READERS.append(self)

    def step(self) -> int | None:
        """One look; how many lines it gave, None where there is nothing at present."""
        self.source.look(self.now)
        lines = self.source.next()
        self.lines += lines or []
        self.source.advance()
        return None if lines is None else len(lines)

    def read(self) -> list[str]:
        """All that there is; the uuids of what came by this."""
        begin = len(self.lines)
        for _ in range(100_000):
            if self.step() is None:
                return uuids(self.lines[begin:])
        raise AssertionError("it does not come to an end")


def uuids(lines: list[Line]) -> list[str]:
    return [line.flow.uuid for line in lines if line.flow is not None]


def losses(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.lost_events is not None]
