"""Metric families of a live Hubble as the source: how the connection fares, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from hubblewatch.metrics.kinds import ComputedGauge, Counter, Gauge
from hubblewatch.metrics.labels import LOSS_SOURCES, NODE_STATES, Vocabulary
from hubblewatch.source.hubble.counts import ReconnectReason, SourceCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

FEW = 300
RECONNECT_REASONS = Vocabulary(reason.value for reason in ReconnectReason)


class CountsSource(Protocol):
    """A live source that counts."""

    @property
    def counts(self) -> SourceCounts:
        """Totals since its start."""
        ...

    @property
    def complete_through_ns(self) -> int:
        """Event time up to which all is here; 0 before the first answer."""
        ...


class SourceFamilies:
    """The families of one source, registered with ``registry``, and told by ``observe``.

    ``wall_clock`` gives seconds since the epoch.
    """

    def __init__(
        self, registry: CollectorRegistry, source: CountsSource, wall_clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._wall_clock = wall_clock
        self._known: dict[tuple[str, str], int] = {}
        self.flows_total = Counter("hubblewatch_source_flows_total", "Flows that Hubble gave.")
        self.bytes_total = Counter(
            "hubblewatch_source_bytes_total", "Bytes of the messages that Hubble sent."
        )
        self.duplicates_total = Counter(
            "hubblewatch_source_duplicates_total",
            "Flows and losses that came again after a break, and were passed by.",
        )
        self.stale_total = Counter(
            "hubblewatch_source_stale_total",
            "Those of the duplicates that were too old to be looked up.",
        )
        self.gaps_total = Counter(
            "hubblewatch_source_gaps_total", "Breaks after which flows of a node were missing."
        )
        self.lost_events_total = Counter(
            "hubblewatch_source_lost_events_total",
            "Events lost, by Hubble's source of the loss; stream-gap is an estimate of ours.",
            ("source",),
            cap=FEW,
        )
        self.connections_total = Counter(
            "hubblewatch_source_connections_total", "Streams opened with Hubble."
        )
        self.reconnects_total = Counter(
            "hubblewatch_source_reconnects_total",
            "Streams that broke or were given up, and attempts that failed, by reason.",
            ("reason",),
            cap=FEW,
        )
        self.failed_checks_total = Counter(
            "hubblewatch_source_failed_checks_total",
            "Questions whether Hubble is alive that got no answer.",
        )
        self.waits_total = Counter(
            "hubblewatch_source_waits_total",
            "Times that the buffer was full and Hubble was made to wait.",
        )
        self.connected = Gauge("hubblewatch_source_connected", "Whether Hubble answers: 1, else 0.")
        self.nodes = Gauge(
            "hubblewatch_source_nodes", "Nodes that Hubble is known to have, by state.", ("state",)
        )
        self.buffered_flows = Gauge(
            "hubblewatch_source_buffered_flows", "Messages read ahead and not yet handed on."
        )
        self.latency_seconds = Gauge(
            "hubblewatch_source_latency_seconds",
            "Age of the newest flow when flows were handed on last.",
        )
        self.incomplete_seconds = ComputedGauge(
            "hubblewatch_source_incomplete_seconds",
            "How long ago the event time lies up to which all of Hubble's flows are here; it grows "
            "while there is no connection, and there is none before the first.",
            self._incomplete,
        )
        families = [value for name, value in vars(self).items() if not name.startswith("_")]
        for family in families:
            registry.register(family)
        self.observe()

    def observe(self) -> None:
        """Bring all families up to the source's counts."""
        counts = self._source.counts
        for counter, total in (
            (self.flows_total, counts.flows),
            (self.bytes_total, counts.bytes),
            (self.duplicates_total, counts.duplicates),
            (self.stale_total, counts.stale),
            (self.gaps_total, counts.gaps),
            (self.connections_total, counts.connections),
            (self.failed_checks_total, counts.failed_checks),
            (self.waits_total, counts.waits),
        ):
            self._grow(counter, (), total)
        self._grow_all(self.lost_events_total, LOSS_SOURCES, counts.lost)
        self._grow_all(self.reconnects_total, RECONNECT_REASONS, counts.reconnects)
        self.connected.set((), float(counts.connected))
        for state in NODE_STATES.values:
            self.nodes.set((state,), counts.nodes.get(state, 0))
        self.buffered_flows.set((), counts.buffered)
        self.latency_seconds.set((), max(0.0, counts.latency_seconds))

    def _grow_all(
        self, counter: Counter, vocabulary: Vocabulary, totals: Mapping[str, int]
    ) -> None:
        by_label = dict.fromkeys(vocabulary.values, 0)
        # A copy: the thread of the source may meet a new one meanwhile.
        for value, total in list(totals.items()):
            by_label[vocabulary.of(str(value))] += total
        for label, total in by_label.items():
            self._grow(counter, (label,), total)

    def _grow(self, counter: Counter, labels: tuple[str, ...], total: int) -> None:
        key = (counter.name, "".join(labels))
        counter.add(labels, max(0, total - self._known.get(key, 0)))
        self._known[key] = max(total, self._known.get(key, 0))

    def _incomplete(self) -> float | None:
        through = self._source.complete_through_ns
        return max(0.0, self._wall_clock() - through / 1e9) if through else None
