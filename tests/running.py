"""Running lines through decoding, counting and closing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.pipeline import Closed, Pipeline, PipelineSettings
from hubblewatch.window.closed import WindowRecord


@dataclass
class Run:
    """What a stream of lines led to."""

    pipeline: Pipeline
    closed: list[Closed]
    rejects: list[Reject]

    @property
    def windows(self) -> list[WindowRecord]:
        """The records of all closed windows, in order."""
        return [window.record() for closed in self.closed for window in closed.closing.windows]


def pipeline(rejects: list[Reject] | None = None, **settings: Any) -> Pipeline:
    """A pipeline without detectors; ``settings`` as in PipelineSettings."""
    refused: list[Reject] = [] if rejects is None else rejects
    return Pipeline(PipelineSettings(**settings), (), {}, refused.append)


def run(lines: Iterable[bytes], *, batch: int = 0, **settings: Any) -> Run:
    """Decode lines, count them and close all windows, in batches of ``batch`` lines."""
    rejects: list[Reject] = []
    driven = pipeline(rejects, **settings)
    given = list(lines)
    closed: list[Closed] = []
    for first in range(0, len(given), batch or max(1, len(given))):
        part = given[first : first + batch] if batch else given
        closed += driven.take(decode_lines(part, rejects.append, "lines", first + 1))
    closed += driven.finish()
    return Run(driven, closed, rejects)


def windows(lines: Iterable[bytes], **settings: Any) -> list[WindowRecord]:
    """The windows that a stream of lines closes."""
    return run(lines, **settings).windows


def only(lines: Iterable[bytes], **settings: Any) -> WindowRecord:
    """The one window that a stream of lines closes."""
    (window,) = windows(lines, **settings)
    return window
