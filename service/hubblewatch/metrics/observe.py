"""From what the pipeline counted to the metric families."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubblewatch.metrics.capped import DEFAULT_CAP
from hubblewatch.metrics.families import Families
from hubblewatch.metrics.labels import (
    LOSS_SOURCES,
    NODE_STATES,
    OUTCOMES,
    PROTOCOLS,
    REJECT_REASONS,
    SEVERITIES,
    STATUSES,
    UNCOUNTED,
    VERDICTS,
    Vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry

    from hubblewatch.metrics.kinds import Claim, Counter
    from hubblewatch.metrics.observed import Closing, CountsByName, IntakeCounts, ObservedAlert

SECOND_NS = 1_000_000_000

IDLE_SECONDS = 3_600.0
"""A namespace or workload without an update for this long, in event time, loses its series."""

EXPIRE_EVERY_SECONDS = 60.0

ACTIVE_INCIDENTS = 50_000
"""Active alerts followed over all streams; more are counted as sent but not as active."""


@dataclass(slots=True)
class _Stream:
    """What is known of one stream: a partition, or the only source of a process."""

    totals: dict[tuple[str, str], int] = field(default_factory=dict)
    active: dict[str, tuple[str, Claim]] = field(default_factory=dict)
    nodes: CountsByName = field(default_factory=dict)
    told_intake: bool = False
    completeness: float | None = None
    watermark_ns: int = 0
    newest_event_ns: int = 0
    subjects: int = 0
    connections: int = 0
    open_incidents: int = 0

    def advance(self, family: str, label: str, total: int) -> int:
        """How much ``total`` grew since it was last seen; one that fell has started again."""
        before = self.totals.get((family, label), 0)
        self.totals[family, label] = total
        return total - before if total >= before else total


class Metrics:
    """The service's metrics: told what happened by one thread, scraped from any.

    ``stream`` names whose counts are told: the partition's number in the worker, anything constant
    where there is one source. Totals may start again at zero with a stream that is assigned anew;
    the counters go on from where they were. ``clock`` gives seconds since the epoch and serves the
    watermark's lag only; without it, as in a replay of the past, there is no such metric.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        version: str,
        clock: Callable[[], float] | None = None,
        cap: int = DEFAULT_CAP,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.registry = registry
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._streams: dict[str, _Stream] = {}
        # Event time over all streams: a partition that lags must not lose its series to one that
        # does not, so updates carry the newest time and not their own.
        self._now = 0.0
        self._expired_at = 0.0
        self._slowest_watermark_ns = 0
        self.families = Families(
            registry, version=version, watermark_lag=self._watermark_lag, cap=cap
        )

    def observe_closing(self, closing: Closing, stream: str = "0") -> None:
        """Count a closed window and its alerts; drop series that have long been idle."""
        known = self._stream(stream)
        self._now = max(self._now, float(closing.end))
        families = self.families
        families.windows_closed_total.add(())
        for (namespace, protocol, outcome), attempts in closing.attempts.items():
            labels = (namespace, PROTOCOLS.of(protocol), OUTCOMES.of(outcome))
            families.attempts_total.add(labels, attempts, self._now)
        for entry, held_back in closing.suppressed.items():
            families.suppressed_total.add((entry,), held_back)
        for alert in closing.alerts:
            total = families.shadow_alerts_total if alert.shadow else families.alerts_total
            severity, status = SEVERITIES.of(alert.severity), STATUSES.of(alert.status)
            total.add((alert.detector, severity, status))
            self._follow(known, alert)
        families.incidents_refused_total.add((), closing.refused_incidents)
        known.completeness = closing.completeness
        known.subjects = closing.subjects
        known.connections = closing.connections
        known.open_incidents = closing.open_incidents
        self._sum_up()
        if self._now - self._expired_at >= EXPIRE_EVERY_SECONDS:
            self._expired_at = self._now
            families.attempts_total.expire(self._now - self._idle_seconds)
            families.anomaly_score.expire(self._now - self._idle_seconds)

    def observe_scores(self, scores: Iterable[tuple[str, str, float]]) -> None:
        """Count the scores of a closed window: namespace, workload, score."""
        for namespace, workload, score in scores:
            self.families.anomaly_score.observe((namespace, workload), score, self._now)

    def observe_intake(self, counts: IntakeCounts, stream: str = "0") -> None:
        """Bring the counters up to a stream's totals; cheap enough for once a second or a batch."""
        known = self._stream(stream)
        families = self.families
        # Control lines reach every partition: only the stream that is here longest counts a loss,
        # the others just keep their place in case they come to be that one.
        known.told_intake = True
        leads = next(one for one in self._streams.values() if one.told_intake) is known
        self._grow(known, families.flows_total, VERDICTS, counts.flows)
        self._grow(known, families.uncounted_flows_total, UNCOUNTED, counts.uncounted)
        self._grow(known, families.rejected_lines_total, REJECT_REASONS, counts.rejects)
        self._grow(known, families.lost_events_total, LOSS_SOURCES, counts.lost, count=leads)
        late = families.late_flows_total
        late.add((), known.advance(late.name, "", counts.late))
        # By state already here: the sum over all streams is made at each stream's intake.
        known.nodes = _by_label(NODE_STATES, counts.nodes)
        known.newest_event_ns = counts.newest_event_ns
        known.watermark_ns = counts.watermark_ns
        if known.watermark_ns:
            families.watermark_timestamp.set((stream,), known.watermark_ns / SECOND_NS)
        self._sum_up()

    def restore(self, alerts: Iterable[ObservedAlert], stream: str = "0") -> None:
        """Take up incidents that were open before a restart as active, without counting them."""
        known = self._stream(stream)
        for alert in alerts:
            self._follow(known, alert)

    def forget(self, stream: str) -> None:
        """Drop what a stream contributes to gauges, its active alerts too; counters stay.

        Should it come back, its totals are taken to start at zero.
        """
        gone = self._streams.pop(stream, _Stream())
        for _severity, claim in gone.active.values():
            self.families.alerts_active.release(claim)
        self.families.watermark_timestamp.remove((stream,))
        self.families.consumer_lag.remove((stream,))
        self._sum_up()

    def set_consumer_lag(self, stream: str, records: int | None) -> None:
        """Records of a partition not yet read; None where nobody knows."""
        if records is None:
            self.families.consumer_lag.remove((stream,))
        else:
            self.families.consumer_lag.set((stream,), records)

    def set_model(self, model: str, version: str, mode: str) -> None:
        """Name the loaded model in place of the one before; ``mode`` is active or shadow."""
        self.clear_model()
        self.families.model_info.set((model, version, mode), 1)

    def show_model(self, described: tuple[str, str, str] | None) -> None:
        """Show model, version and mode, or that no model is loaded; cheap where nothing changed."""
        shown = [labels for labels, _ in self.families.model_info.snapshot()]
        if described is None:
            self.clear_model()
        elif shown != [described]:
            self.set_model(*described)

    def clear_model(self) -> None:
        """No model is loaded."""
        for labels, _ in self.families.model_info.snapshot():
            self.families.model_info.remove(labels)

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream())

    def _follow(self, known: _Stream, alert: ObservedAlert) -> None:
        """Keep ``alerts_active`` to the last record of each incident."""
        before = known.active.get(alert.incident)
        if alert.status == "firing" and not alert.shadow:
            severity = SEVERITIES.of(alert.severity)
            if before is not None and before[0] == severity:
                return
            active = sum(len(one.active) for one in self._streams.values())
            if before is None and active >= ACTIVE_INCIDENTS:
                return
            # The new claim first: a scrape in between sees the incident twice, never not at all.
            claim = self.families.alerts_active.claim(
                (alert.detector, severity, alert.namespace, alert.workload), self._now
            )
            known.active[alert.incident] = (severity, claim)
        else:
            known.active.pop(alert.incident, None)
        if before is not None:
            self.families.alerts_active.release(before[1])

    def _grow(
        self,
        known: _Stream,
        counter: Counter,
        vocabulary: Vocabulary,
        totals: CountsByName,
        *,
        count: bool = True,
    ) -> None:
        for label, total in _by_label(vocabulary, totals).items():
            grown = known.advance(counter.name, label, total)
            if count:
                counter.add((label,), grown)

    def _sum_up(self) -> None:
        """Gauges over all streams."""
        streams = list(self._streams.values())
        families = self.families
        families.subjects.set((), sum(one.subjects for one in streams))
        families.connections.set((), sum(one.connections for one in streams))
        families.incidents_open.set((), sum(one.open_incidents for one in streams))
        for state in NODE_STATES.values:
            families.nodes.set(
                (state,), max((one.nodes.get(state, 0) for one in streams), default=0)
            )
        seen = [one.completeness for one in streams if one.completeness is not None]
        if seen:
            families.window_completeness.set((), min(seen))
        else:
            # What the last stream said must not be said for one that another worker has now.
            families.window_completeness.remove(())
        self._slowest_watermark_ns = min(
            (one.watermark_ns for one in streams if one.watermark_ns), default=0
        )
        newest = max((one.newest_event_ns for one in streams), default=0)
        if newest:
            families.newest_event_timestamp.set((), newest / SECOND_NS)

    def _watermark_lag(self) -> float | None:
        if self._clock is None or not self._slowest_watermark_ns:
            return None
        return max(0.0, self._clock() - self._slowest_watermark_ns / SECOND_NS)


def _by_label(vocabulary: Vocabulary, totals: CountsByName) -> dict[str, int]:
    by_label: dict[str, int] = {}
    for value, total in totals.items():
        label = vocabulary.of(value)
        by_label[label] = by_label.get(label, 0) + total
    return by_label
