"""The exporter's metrics follow its counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from hubblewatch.metrics.exporter_families import ExporterCounts, ExporterFamilies

PREFIX = "hubblewatch_exporter_"


def told(*counts: ExporterCounts) -> CollectorRegistry:
    registry = CollectorRegistry()
    families = ExporterFamilies(registry, version="1.2.3", watermark_lag=lambda: None)
    for one in counts:
        families.observe(one)
    return registry


def test_totals_grow_by_what_was_added_since() -> None:
    registry = told(
        ExporterCounts(lines=5, rejects={"malformed": 1}, records=2, latency_seconds=0.5),
        ExporterCounts(lines=9, rejects={"malformed": 4}, records=3, latency_seconds=0.75),
    )
    assert registry.get_sample_value(f"{PREFIX}lines_total") == 9
    malformed = registry.get_sample_value(f"{PREFIX}rejected_lines_total", {"reason": "malformed"})
    assert malformed == 4
    assert registry.get_sample_value(f"{PREFIX}publish_seconds_count") == 3
    assert registry.get_sample_value(f"{PREFIX}publish_seconds_sum") == 0.75


def test_what_waits_is_what_was_told_last() -> None:
    registry = told(ExporterCounts(pending_bytes=700), ExporterCounts(pending_bytes=20))
    assert registry.get_sample_value(f"{PREFIX}pending_bytes") == 20


def test_no_producer_is_at_work_before_it_is_told_so() -> None:
    assert told().get_sample_value(f"{PREFIX}kafka_connected") == 0
    connected = ExporterCounts(kafka_connected=True)
    assert told(connected).get_sample_value(f"{PREFIX}kafka_connected") == 1
    assert told(connected, ExporterCounts()).get_sample_value(f"{PREFIX}kafka_connected") == 0


def test_counters_begin_at_zero_and_there_is_no_newest_event_before_the_first() -> None:
    registry = told()
    assert registry.get_sample_value(f"{PREFIX}records_total") == 0
    assert registry.get_sample_value(f"{PREFIX}rejected_lines_total", {"reason": "time"}) == 0
    assert registry.get_sample_value(f"{PREFIX}newest_event_timestamp_seconds") is None
