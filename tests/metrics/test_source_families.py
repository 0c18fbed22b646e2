"""The metrics of a live source follow its counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from hubblewatch.metrics.source_families import SourceFamilies
from hubblewatch.source.hubble.counts import ReconnectReason, SourceCounts

PREFIX = "hubblewatch_source_"


class Told:
    """A source that has counted something."""

    def __init__(self) -> None:
        self.counts = SourceCounts()
        self.complete_through_ns = 0
        self.registry = CollectorRegistry()
        self.families = SourceFamilies(self.registry, self, lambda: 100.0)

    def value(self, name: str, **labels: str) -> float | None:
        self.families.observe()
        return self.registry.get_sample_value(PREFIX + name, labels)


def test_reconnects_are_counted_by_reason_and_begin_at_zero() -> None:
    told = Told()
    assert told.value("reconnects_total", reason="ended") == 0
    told.counts.reconnects[ReconnectReason.ENDED] += 2
    assert told.value("reconnects_total", reason="ended") == 2
    told.counts.reconnects[ReconnectReason.ENDED] += 1
    assert told.value("reconnects_total", reason="ended") == 3


def test_losses_of_an_unknown_source_are_counted_together() -> None:
    told = Told()
    told.counts.lost.update({"stream-gap": 5, "NEW_BUFFER": 2, "17": 1})
    assert told.value("lost_events_total", source="stream-gap") == 5
    assert told.value("lost_events_total", source="other") == 3


def test_nodes_that_left_a_state_are_no_longer_shown_in_it() -> None:
    told = Told()
    told.counts.nodes = {"connected": 3, "gone": 1}
    assert told.value("nodes", state="gone") == 1
    told.counts.nodes = {"connected": 3}
    assert told.value("nodes", state="gone") == 0


def test_what_is_not_complete_grows_by_the_clock_once_anything_is() -> None:
    told = Told()
    assert told.value("incomplete_seconds") is None
    told.complete_through_ns = 40_000_000_000
    assert told.value("incomplete_seconds") == 60


def test_what_the_stream_has_now_is_shown() -> None:
    told = Told()
    told.counts.connected = True
    told.counts.latency_seconds = 0.25
    told.counts.bytes = 7
    assert told.value("connected") == 1
    assert told.value("latency_seconds") == 0.25
    assert told.value("bytes_total") == 7
