"""Replays of lines that stand in a file of the test."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from hubblewatch.replay.interruption import Interruption
from hubblewatch.replay.report import print_report
from hubblewatch.replay.run import ClosedObserver, Replay
from hubblewatch.replay.summary import Summary
from hubblewatch.settings import Settings
from hubblewatch.source.recordings import Recording


def write(path: Path, lines: Iterable[bytes]) -> Path:
    """Write lines as a plain recording."""
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def replayed(
    paths: Sequence[Path],
    *observers: ClosedObserver,
    interruption: Interruption | None = None,
    settings: Settings | None = None,
) -> Replay:
    """A finished replay, with the default settings where none are given."""
    replay = Replay(settings or Settings(), [Recording(str(path)) for path in paths])
    replay.run(observers, interruption or Interruption())
    return replay


def report(replay: Replay, summary: Summary, width: int = 80) -> str:
    """The report as text."""
    output = io.StringIO()
    print_report(Console(file=output, width=width), replay, summary)
    return output.getvalue()
