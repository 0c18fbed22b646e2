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
from hubblewatch.metrics.exporter_families import ExporterCounts, ExporterFamilies
from hubblewatch.serve import AlertBoard, Answers, Health, Server
from hubblewatch.settings import ServeSettings

COMPONENT = "publisher"
OBSERVE_SECONDS = 1.0


class ServedExport:
    """Shows an export to those who ask over HTTP; it is unhealthy when records wait and none moves.

    The counts are taken in the event loop each second, so a scrape never reads them half written.
    """

    def __init__(self, exporter: Exporter, publisher: Publisher, settings: ServeSettings) -> None:
        self._exporter = exporter
        self._publisher = publisher
        registry = CollectorRegistry()
        self._families = ExporterFamilies(registry, version=__version__, watermark_lag=lambda: None)
        self._health = Health(time.monotonic)
        answers = Answers(registry, self._health, AlertBoard())
        self._server = Server(answers, settings.host, settings.port)
        host = settings.host
        self.address = f"{f'[{host}]' if ':' in host else host}:{self._server.port}"
        """Where it listens, as host:port."""
        self._records = 0

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
        if counts.records > self._records:
            self._records = counts.records
            self._health.progress(COMPONENT)
        self._health.lag(COMPONENT, counts.pending_records)

    async def _observe_for_ever(self) -> None:
        while True:
            self.observe()
            await asyncio.sleep(OBSERVE_SECONDS)
