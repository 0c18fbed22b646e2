"""The exporter's metrics and health over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from hubblewatch import __version__
from hubblewatch.export.exporter import Exporter
from hubblewatch.kafka.publisher import Publisher
from hubblewatch.kafka.spool.publisher import SpoolingPublisher
from hubblewatch.kafka.spool.spool import SpoolCounts
from hubblewatch.metrics.exporter_families import ExporterCounts, ExporterFamilies
from hubblewatch.metrics.file_families import FileFamilies
from hubblewatch.metrics.source_families import SourceFamilies
from hubblewatch.metrics.spool_families import SpoolFamilies
from hubblewatch.serve import AlertBoard, Answers, Health, Server
from hubblewatch.settings import ServeSettings
from hubblewatch.source.export_file.live import FollowedFiles
from hubblewatch.source.hubble.live import LiveSource

LOOP = "event-loop"
PUBLISHER = "publisher"
SOURCE = "source"
OBSERVE_SECONDS = 1.0


class _Export(NamedTuple):
    """What is at work once Kafka is there."""

    exporter: Exporter
    publisher: Publisher | SpoolingPublisher
    live: LiveSource | FollowedFiles | None
    spool: SpoolCounts | None


class ServedExport:
    """Shows an export to those who ask over HTTP, from before Kafka is waited for.

    It is unhealthy when a restart may help: when the event loop hangs, a producer that should have
    been replaced, or the thread that reads. A Kafka or Hubble that is away is not unhealthy: a
    restart would not bring it back, and would forget what waits in memory and from where to go on.

    The counts are taken in the event loop each second, so a scrape never reads them half written.
    ``clock`` is monotonic seconds.
    """

    def __init__(
        self, settings: ServeSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._export: _Export | None = None
        self._registry = CollectorRegistry()
        self._families = ExporterFamilies(
            self._registry, version=__version__, watermark_lag=self._watermark_lag
        )
        self._source: SourceFamilies | FileFamilies | None = None
        self._spool: SpoolFamilies | None = None
        self._health = Health(clock)
        # It must always move, so it always has something to do.
        self._health.lag(LOOP, 1)
        answers = Answers(self._registry, self._health, AlertBoard())
        self._server = Server(answers, settings.host, settings.port)
        host = settings.host
        self.address = f"{f'[{host}]' if ':' in host else host}:{self._server.port}"
        """Where it listens, as host:port."""
        self._taken = 0

    @contextmanager
    def served(self) -> Iterator[None]:
        """While in here, answer."""
        observing = asyncio.create_task(self._observe_for_ever())
        try:
            with self._server:
                yield
        finally:
            observing.cancel()

    def begin(
        self,
        exporter: Exporter,
        publisher: Publisher | SpoolingPublisher,
        live: LiveSource | FollowedFiles | None = None,
        spool: SpoolCounts | None = None,
    ) -> None:
        """Kafka is there: show this export from now on, and be ready. To be called once."""
        if isinstance(live, FollowedFiles):
            self._source = FileFamilies(self._registry, live, time.time)
        elif live is not None:
            self._source = SourceFamilies(self._registry, live, time.time)
        if spool is not None:
            self._spool = SpoolFamilies(self._registry, time.time)
        self._export = _Export(exporter, publisher, live, spool)
        self.observe()
        self._health.set_ready()

    def observe(self) -> None:
        """Bring metrics and health up to date."""
        self._health.progress(LOOP)
        if self._export is None:
            return
        exporter, publisher, live, spool = self._export
        counts, newest = publisher.counts, exporter.router.pulse.newest
        self._families.observe(
            ExporterCounts(
                lines=exporter.lines,
                flows=exporter.router.counts.flows,
                late=exporter.router.counts.late,
                rejects={str(reason): count for reason, count in exporter.rejects.counts.items()},
                rejects_unpublished=exporter.rejects.unpublished,
                heartbeats=exporter.router.pulse.heartbeats,
                records=counts.records,
                bytes=counts.bytes,
                latency_seconds=counts.latency_seconds,
                replacements=counts.replacements,
                pending_records=counts.pending_records,
                pending_bytes=counts.pending_bytes,
                kafka_connected=publisher.is_connected,
                newest_event=float(newest) if newest > 0 else None,
            )
        )
        if spool is not None and self._spool is not None:
            self._spool.observe(spool)
        overdue = publisher.overdue
        self._health.lag(PUBLISHER, overdue)
        if not overdue:
            self._health.progress(PUBLISHER)
        if live is not None and self._source is not None:
            self._source.observe()
            if live.taken > self._taken:
                self._taken = live.taken
                self._health.progress(SOURCE)
            # While Kafka does not take records none are read, and no restart helps against that.
            self._health.lag(SOURCE, 0 if counts.pending_records else 1)

    def _watermark_lag(self) -> float | None:
        if self._export is None:
            return None
        pulse = self._export.exporter.router.pulse
        if self._export.live is None or pulse.newest <= 0:
            return None
        return max(0.0, time.time() - (pulse.newest - pulse.settings.lateness))

    async def _observe_for_ever(self) -> None:
        while True:
            self.observe()
            await asyncio.sleep(OBSERVE_SECONDS)
