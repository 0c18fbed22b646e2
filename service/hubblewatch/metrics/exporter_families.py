"""Every metric family of the exporter, in one place with its help text."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from hubblewatch.metrics.kinds import ComputedGauge, Counter, Gauge, Summary
from hubblewatch.metrics.labels import REJECT_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

FEW = 300


class ExporterCounts(Struct, frozen=True):
    """An exporter's totals since its start, and what waits now."""

    lines: int = 0
    flows: int = 0
    late: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    rejects_unpublished: int = 0
    heartbeats: int = 0
    records: int = 0
    bytes: int = 0
    latency_seconds: float = 0.0
    replacements: int = 0
    pending_records: int = 0
    pending_bytes: int = 0
    kafka_connected: bool = False
    newest_event: float | None = None
    """Epoch seconds."""


class ExporterFamilies:
    """The exporter's families, registered with ``registry``, and told by ``observe``.

    ``watermark_lag`` is asked at each scrape; None where lag has no meaning, as for a file.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        version: str,
        watermark_lag: Callable[[], float | None],
    ) -> None:
        self.lines_total = Counter("hubblewatch_exporter_lines_total", "Lines read and decoded.")
        self.flows_total = Counter("hubblewatch_exporter_flows_total", "Flow events routed.")
        self.late_flows_total = Counter(
            "hubblewatch_exporter_late_flows_total",
            "Flow events that came after their window had closed; they are sent all the same.",
        )
        self.rejected_lines_total = Counter(
            "hubblewatch_exporter_rejected_lines_total",
            "Lines that could not be used, by reason.",
            ("reason",),
            cap=FEW,
        )
        self.unpublished_rejects_total = Counter(
            "hubblewatch_exporter_unpublished_rejects_total",
            "Rejected lines that were counted only, since there were too many at once.",
        )
        self.heartbeats_total = Counter(
            "hubblewatch_exporter_heartbeats_total", "Heartbeats sent, each to all partitions."
        )
        self.records_total = Counter(
            "hubblewatch_exporter_records_total", "Records that Kafka has acknowledged."
        )
        self.bytes_total = Counter(
            "hubblewatch_exporter_bytes_total",
            "Bytes that Kafka has acknowledged, before compression.",
        )
        self.publish_seconds = Summary(
            "hubblewatch_exporter_publish_seconds",
            "Time from handing in a record to Kafka's acknowledgement.",
        )
        self.producer_replacements_total = Counter(
            "hubblewatch_exporter_producer_replacements_total",
            "Producers given up because they failed or fell silent.",
        )
        self.pending_records = Gauge(
            "hubblewatch_exporter_pending_records", "Records that wait for Kafka's acknowledgement."
        )
        self.pending_bytes = Gauge(
            "hubblewatch_exporter_pending_bytes", "Bytes that wait for Kafka's acknowledgement."
        )
        self.kafka_connected = Gauge(
            "hubblewatch_exporter_kafka_connected",
            "Whether a producer is at work: 1, else 0, as while Kafka is waited for.",
        )
        self.newest_event_timestamp = Gauge(
            "hubblewatch_exporter_newest_event_timestamp_seconds", "Newest event time read."
        )
        self.watermark_lag = ComputedGauge(
            "hubblewatch_exporter_watermark_lag_seconds",
            "How far the promised watermark is behind the wall clock; none for a recording.",
            watermark_lag,
        )
        self.build_info = Gauge(
            "hubblewatch_build_info",
            "The running version; always 1.",
            ("version", "python"),
        )
        self.build_info.set((version, platform.python_version()), 1)
        for family in vars(self).values():
            registry.register(family)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._known = ExporterCounts()
        self.observe(self._known)

    def observe(self, counts: ExporterCounts) -> None:
        """Bring all families up to ``counts``, which only grow."""
        known, self._known = self._known, counts
        for counter, now, before in (
            (self.lines_total, counts.lines, known.lines),
            (self.flows_total, counts.flows, known.flows),
            (self.late_flows_total, counts.late, known.late),
            (
                self.unpublished_rejects_total,
                counts.rejects_unpublished,
                known.rejects_unpublished,
            ),
            (self.heartbeats_total, counts.heartbeats, known.heartbeats),
            (self.records_total, counts.records, known.records),
            (self.bytes_total, counts.bytes, known.bytes),
            (self.producer_replacements_total, counts.replacements, known.replacements),
        ):
            counter.add((), now - before)
        for reason in REJECT_REASONS.values:
            grown = counts.rejects.get(reason, 0) - known.rejects.get(reason, 0)
            self.rejected_lines_total.add((reason,), grown)
        self.publish_seconds.add_many(
            (), counts.records - known.records, counts.latency_seconds - known.latency_seconds
        )
        self.pending_records.set((), counts.pending_records)
        self.pending_bytes.set((), counts.pending_bytes)
        self.kafka_connected.set((), float(counts.kafka_connected))
        if counts.newest_event is not None:
            self.newest_event_timestamp.set((), counts.newest_event)
