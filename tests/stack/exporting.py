"""What exporters of a live Hubble and of followed files serve, with something in every family."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from tests.serve.building import HandClock

from hubblewatch import __version__
from hubblewatch.kafka.spool.spool import DropReason, SpoolCounts
from hubblewatch.metrics.exporter_families import ExporterCounts, ExporterFamilies
from hubblewatch.metrics.file_families import FileFamilies
from hubblewatch.metrics.source_families import SourceFamilies
from hubblewatch.metrics.spool_families import SpoolFamilies
from hubblewatch.serve import AlertBoard, Answers, Health, Server
from hubblewatch.source.export_file.counts import FileCounts
from hubblewatch.source.export_file.generation import Head
from hubblewatch.source.export_file.position import Place, Position
from hubblewatch.source.hubble.counts import ReconnectReason, SourceCounts


class OfHubble:
    """A live Hubble that was away once."""

    def __init__(self) -> None:
        self.counts = SourceCounts(flows=100, connections=2, connected=True, gaps=1)
        self.counts.lost["stream-gap"] = 3
        self.counts.reconnects[ReconnectReason.ENDED] = 1
        self.complete_through_ns = time.time_ns() - 1_000_000_000


class OfFiles:
    """A followed file that was rotated once."""

    def __init__(self) -> None:
        self.counts = FileCounts(lines=100, rotations=1, files=1)
        self.confirmed: Position = {"/run/events.log": Place(1, Head(1, "a"), 777)}
        self.complete_through_ns = time.time_ns() - 1_000_000_000

    def behind_bytes(self) -> int:
        return 5


def _registries() -> Iterator[CollectorRegistry]:
    now = time.time()
    for reads_files in (False, True):
        registry = CollectorRegistry()
        families = ExporterFamilies(registry, version=__version__, watermark_lag=lambda: 12.0)
        families.observe(
            ExporterCounts(
                lines=100,
                flows=99,
                rejects={"malformed": 1},
                heartbeats=5,
                records=7,
                bytes=900,
                latency_seconds=0.5,
                pending_records=1,
                kafka_connected=True,
                newest_event=now,
            )
        )
        if reads_files:
            FileFamilies(registry, OfFiles(), time.time)
        else:
            SourceFamilies(registry, OfHubble(), time.time)
            spool = SpoolCounts(bytes=5, envelopes=2, oldest_ms=round(now * 1000), spooled=3)
            spool.dropped[DropReason.FULL] = 1
            SpoolFamilies(registry, time.time).observe(spool)
        yield registry


@contextmanager
def exporting() -> Iterator[list[str]]:
    """Serve one exporter of each kind while in here; give their addresses (``host:port``)."""
    servers = [
        Server(Answers(registry, Health(HandClock()), AlertBoard()), "127.0.0.1", 0)
        for registry in _registries()
    ]
    with servers[0], servers[1]:
        yield [f"127.0.0.1:{server.port}" for server in servers]
