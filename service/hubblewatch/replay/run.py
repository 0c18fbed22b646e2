"""One replay: lines of recordings through a pipeline, and what closes to those who observe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from hubblewatch.assemble import build_pipeline, open_model, open_suppressions
from hubblewatch.flow.reject import Reject
from hubblewatch.garbage import rarely_collected
from hubblewatch.pipeline import Closed
from hubblewatch.replay.interruption import Interruption
from hubblewatch.replay.rejects import Rejects
from hubblewatch.settings import Settings
from hubblewatch.source.damage import damage_of
from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import Recording


class ClosedObserver(Protocol):
    """Is shown every closing with its alerts, in order of event time."""

    def observe(self, closed: Closed) -> None:
        """Take note of a closing."""
        ...


class Replay:
    """Drives one pipeline over the recordings, once.

    Afterwards ``lines`` were read in ``seconds`` of the clock, ``rejects`` tells what was refused,
    ``pipeline.counts`` what arrived, and ``is_interrupted`` whether it was asked to stop early;
    what had been read until then was closed and shown all the same. Raises ConfigurationError where
    the file of suppressions is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        recordings: Sequence[Recording],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.recordings = recordings
        self.rejects = Rejects()
        self.model = open_model(settings, clock)
        self.pipeline = build_pipeline(settings, self._refuse, models=self.model)
        self.seconds = 0.0
        self.is_interrupted = False
        self._clock = clock
        self._suppressions = open_suppressions(settings, clock)

    @property
    def lines(self) -> int:
        """Lines read so far, refused and empty ones included."""
        return sum(recording.lines_read for recording in self.recordings)

    @property
    def damage(self) -> list[str]:
        """Why recordings could not be read to their end."""
        return damage_of(self.recordings)

    @property
    def is_without_flows(self) -> bool:
        """Whether lines were refused and none was a flow: that is hardly a recording."""
        return bool(self.rejects.total) and not self.pipeline.counts.flows

    def run(
        self,
        observers: Sequence[ClosedObserver],
        interruption: Interruption,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Read all recordings to their end, or until the interruption; close what is open."""
        batches = in_time_order(self.recordings, self._refuse)
        begin = self._clock()
        try:
            with rarely_collected():
                while not interruption.is_asked:
                    with interruption.raised_at_once():
                        batch = next(batches, None)
                    if batch is None:
                        break
                    if self._suppressions is not None:
                        self.pipeline.suppressions = self._suppressions.current()
                    if self.model is not None:
                        self.model.refresh()
                    self._show(self.pipeline.take(batch), observers)
                    on_progress()
        except KeyboardInterrupt:
            # Only raised while waiting for lines, so every line was counted whole or not at all.
            interruption.ask()
        self.is_interrupted = interruption.is_asked
        self._show(self.pipeline.finish(), observers)
        self.seconds = self._clock() - begin

    def _show(self, closings: Iterable[Closed], observers: Sequence[ClosedObserver]) -> None:
        for closed in closings:
            for observer in observers:
                observer.observe(closed)

    def _refuse(self, reject: Reject) -> None:
        self.rejects.take(reject)
        self.pipeline.counts.rejects[reject.reason] += 1
