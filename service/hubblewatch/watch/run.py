"""The watch itself: lines of a live Hubble through a pipeline, and what closes to observers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Protocol

from hubblewatch.assemble import build_pipeline, open_model, open_redaction, open_suppressions
from hubblewatch.flow.reject import Reject
from hubblewatch.garbage import rarely_collected
from hubblewatch.pipeline import Closed
from hubblewatch.settings import Settings
from hubblewatch.source.hubble.stream import HubbleStream
from hubblewatch.watch.beginning import Beginning, closing_records, go_on
from hubblewatch.watch.store import StateFile
from hubblewatch.window.pace import Pace

SECOND_NS = 1_000_000_000


class WatchObserver(Protocol):
    """Is shown every closing, and that time goes on."""

    def observe(self, closed: Closed) -> None:
        """Take note of a closing; raises what ends the watch, such as a closed pipe."""
        ...

    def tick(self) -> None:
        """A batch was counted, if only an empty one; called at least about once a second."""
        ...


class HubbleWatch:
    """Drives one pipeline with one live Hubble until ``stop`` is asked for.

    Without ``state`` nothing is remembered over a restart. ``clock_ns`` is the time of day,
    ``steady`` a clock in seconds that never jumps, by which a quiet cluster's event time goes on at
    most. Raises ConfigurationError where settings, the
    file of suppressions or the state are wrong.
    """

    def __init__(
        self,
        settings: Settings,
        state: StateFile | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        steady: Callable[[], float] = time.monotonic,
        pace: Callable[[], float] | None = None,
    ) -> None:
        self.state = state
        self.model = open_model(settings, steady)
        self._redaction = open_redaction(settings)
        self.pipeline = build_pipeline(settings, self._refuse, models=self.model)
        self._suppressions = open_suppressions(settings, steady)
        self.beginning = Beginning()
        if state is not None:
            now = clock_ns() // SECOND_NS
            records = state.records()
            self.beginning = go_on(self.pipeline, records, now, settings.hubble)
        self.stream = HubbleStream(
            settings.hubble,
            self._refuse,
            clock_ns,
            steady,
            since_ns=self.beginning.since_ns,
            rates=self.beginning.rates,
        )
        self._pace = Pace(lambda: clock_ns() / SECOND_NS, pace or steady)
        self._is_stopping = False

    def stop(self) -> None:
        """Ask to stop; fit for a signal handler. ``run`` returns within a second or so."""
        self._is_stopping = True

    def run(self, observers: Sequence[WatchObserver]) -> None:
        """Watch until stopped. Windows that are open then are read again after a restart."""
        with rarely_collected(), closing(self.stream.batches()) as batches:
            for batch in batches:
                if self._suppressions is not None:
                    self.pipeline.suppressions = self._suppressions.current()
                if self.model is not None:
                    self.model.refresh()
                self._redaction.redact(batch)
                closed = self.pipeline.take(batch)
                complete = self.stream.complete_through_ns // SECOND_NS
                if complete:
                    # A quiet cluster's windows close too, but never beyond what Hubble gave.
                    paced = self._pace.bounded(complete, self.pipeline.newest)
                    closed += self.pipeline.quiet_until(paced)
                self._hand_on(closed, observers)
                for observer in observers:
                    observer.tick()
                if self._is_stopping:
                    return

    def _hand_on(self, closings: Sequence[Closed], observers: Sequence[WatchObserver]) -> None:
        """Show closings, then remember them: an alert may come twice, by the same id, never not."""
        for closed in closings:
            for observer in observers:
                observer.observe(closed)
        if closings and self.state is not None:
            self.state.commit(closing_records(self.pipeline))

    def _refuse(self, reject: Reject) -> None:
        self.pipeline.counts.rejects[reject.reason] += 1
