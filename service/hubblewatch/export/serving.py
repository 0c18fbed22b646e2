"""The exporter's metrics and health over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

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

COMPONENT = "publisher"
SOURCE = "source"
OBSERVE_SECONDS = 1.0


class ServedExport:
    """Shows an export to those who ask over HTTP; it is unhealthy when records wait and none moves.

    So it is when the thread that reads ``live`` is stuck. A Hubble that is away is not unhealthy:
    a restart would not bring it back, and would forget from where to go on.

    The counts are taken in the event loop each second, so a scrape never reads them half written.
    """

    def __init__(
        self,
        exporter: Exporter,
        publisher: Publisher | SpoolingPublisher,
        settings: ServeSettings,
        live: LiveSource | FollowedFiles | None = None,
        spool: SpoolCounts | None = None,
    ) -> None:
        self._exporter = exporter
        self._publisher = publisher
        self._live = live
        self._spool = spool
        registry = CollectorRegistry()
        self._families = ExporterFamilies(
            registry, version=__version__, watermark_lag=self._watermark_lag
        )
        self._source: SourceFamilies | FileFamilies | None = None
        if isinstance(live, FollowedFiles):
            self._source = FileFamilies(registry, live, time.time)
        elif live is not None:
            self._source = SourceFamilies(registry, live, time.time)
        self._spool_families = None if spool is None else SpoolFamilies(registry, time.time)
        self._health = Health(time.monotonic)
        answers = Answers(registry, self._health, AlertBoard())
        self._server = Server(answers, settings.host, settings.port)
        host = settings.host
        self.address = f"{f'[{host}]' if ':' in host else host}:{self._server.port}"
        """Where it listens, as host:port."""
        self._records = 0
        self._taken = 0

    @contextmanager
    def served(self) -> Iterator[None]:
        """While in here, answer."""
        observing = asyncio.create_task(self._observe_for_ever())
        try:
            with self._server:
                self._health.set_ready()
                yield
        finally:
            observing.cancel()

    def observe(self) -> None:
        """Bring metrics and health up to date."""
        exporter, counts = self._exporter, self._publisher.counts
        newest = exporter.router.pulse.newest
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
                newest_event=float(newest) if newest > 0 else None,
            )
        )
        if self._spool is not None and self._spool_families is not None:
            self._spool_families.observe(self._spool)
        # What goes to the spool moves too: a restart would not bring Kafka back.
        moved = counts.records + (self._spool.spooled if self._spool is not None else 0)
        if moved > self._records:
            self._records = moved
            self._health.progress(COMPONENT)
        self._health.lag(COMPONENT, counts.pending_records)
        if self._live is not None and self._source is not None:
            self._source.observe()
            if self._live.taken > self._taken:
                self._taken = self._live.taken
                self._health.progress(SOURCE)
            # While Kafka does not take records none are read, and that is the publisher's trouble.
            self._health.lag(SOURCE, 0 if counts.pending_records else 1)

    def _watermark_lag(self) -> float | None:
        pulse = self._exporter.router.pulse
        if self._live is None or pulse.newest <= 0:
            return None
        return max(0.0, time.time() - (pulse.newest - pulse.settings.lateness))

    async def _observe_for_ever(self) -> None:
        while True:
            self.observe()
            await asyncio.sleep(OBSERVE_SECONDS)
