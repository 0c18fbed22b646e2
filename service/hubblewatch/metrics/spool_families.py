"""Metric families of the exporter's spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubblewatch.kafka.spool.spool import DropReason, SpoolCounts
from hubblewatch.metrics.kinds import ComputedGauge, Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry


class SpoolFamilies:
    """The families of one spool, registered with ``registry``, and told by ``observe``.

    ``wall_clock`` gives seconds since the epoch.
    """

    def __init__(self, registry: CollectorRegistry, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._known = SpoolCounts()
        self._oldest_ms = 0
        self.bytes = Gauge("hubblewatch_exporter_spool_bytes", "Bytes of the spool on disk.")
        self.envelopes = Gauge(
            "hubblewatch_exporter_spool_envelopes",
            "Records in the spool that Kafka has not acknowledged.",
        )
        self.oldest_seconds = ComputedGauge(
            "hubblewatch_exporter_spool_oldest_seconds",
            "How long ago the oldest record in the spool was handed in; 0 if there is none.",
            self._oldest,
        )
        self.spooled_total = Counter(
            "hubblewatch_exporter_spool_spooled_total", "Records written to the spool."
        )
        self.replayed_total = Counter(
            "hubblewatch_exporter_spool_replayed_total",
            "Records of the spool that Kafka has acknowledged.",
        )
        self.dropped_total = Counter(
            "hubblewatch_exporter_spool_dropped_total",
            "Records of the spool, or stretches of damage in it, that will not reach Kafka.",
            ("reason",),
        )
        self.dropped_flows_total = Counter(
            "hubblewatch_exporter_spool_dropped_flows_total",
            "Flow events in dropped records, which the stream tells as lost; of damaged ones "
            "nobody knows.",
            ("reason",),
        )
        self.dropped_bytes_total = Counter(
            "hubblewatch_exporter_spool_dropped_bytes_total",
            "Bytes of dropped records before they were packed; of damage, as stored.",
            ("reason",),
        )
        self.failures_total = Counter(
            "hubblewatch_exporter_spool_failures_total",
            "Times that the spool's directory or disk could not be used.",
        )
        families = [value for name, value in vars(self).items() if not name.startswith("_")]
        for family in families:
            registry.register(family)
        self.observe(self._known)

    def observe(self, now: SpoolCounts) -> None:
        """Bring all families up to ``now``, whose totals only grow."""
        known = self._known
        self.spooled_total.add((), now.spooled - known.spooled)
        self.replayed_total.add((), now.replayed - known.replayed)
        self.failures_total.add((), now.failures - known.failures)
        for reason in DropReason:
            for counter, totals, before in (
                (self.dropped_total, now.dropped, known.dropped),
                (self.dropped_flows_total, now.dropped_flows, known.dropped_flows),
                (self.dropped_bytes_total, now.dropped_bytes, known.dropped_bytes),
            ):
                counter.add((reason.value,), totals[reason] - before[reason])
        self.bytes.set((), now.bytes)
        self.envelopes.set((), now.envelopes)
        self._oldest_ms = now.oldest_ms
        self._known = SpoolCounts(
            spooled=now.spooled,
            replayed=now.replayed,
            failures=now.failures,
            dropped=now.dropped.copy(),
            dropped_flows=now.dropped_flows.copy(),
            dropped_bytes=now.dropped_bytes.copy(),
        )

    def _oldest(self) -> float | None:
        return max(0.0, self._wall_clock() - self._oldest_ms / 1000) if self._oldest_ms else 0.0
