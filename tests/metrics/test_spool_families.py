"""The spool's counts as Prometheus shows them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from hubblewatch.kafka.spool.spool import DropReason, SpoolCounts
from hubblewatch.metrics.spool_families import SpoolFamilies


def test_counts_are_shown_and_grow() -> None:
    registry = CollectorRegistry()
    families = SpoolFamilies(registry, lambda: 100.0)
    counts = SpoolCounts(bytes=5, envelopes=2, oldest_ms=70_000, spooled=3, replayed=1, failures=1)
    counts.dropped[DropReason.FULL] = 4
    counts.dropped_flows[DropReason.FULL] = 40
    families.observe(counts)
    counts.dropped_flows[DropReason.FULL] = 50
    families.observe(counts)
    shown = generate_latest(registry).decode()
    prefix = "hubblewatch_exporter_spool_"
    for told in (
        "bytes 5.0",
        "envelopes 2.0",
        "oldest_seconds 30.0",
        "spooled_total 3.0",
        "replayed_total 1.0",
        "failures_total 1.0",
        'dropped_total{reason="full"} 4.0',
        'dropped_flows_total{reason="full"} 50.0',
    ):
        assert prefix + told in shown
