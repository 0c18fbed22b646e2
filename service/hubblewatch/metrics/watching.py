"""A pipeline's counts in the shape that the metrics read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hubblewatch.metrics.observe import SECOND_NS, Metrics
from hubblewatch.metrics.observed import CountsByName, ObservedAlert
from hubblewatch.pipeline import Closed, Pipeline


@dataclass(frozen=True, slots=True)
class _Closing:
    start: int
    end: int
    completeness: float
    attempts: Mapping[tuple[str, str, str], int]
    alerts: Sequence[ObservedAlert]
    suppressed: Mapping[str, int]
    subjects: int
    connections: int
    open_incidents: int
    refused_incidents: int


@dataclass(frozen=True, slots=True)
class _Intake:
    flows: CountsByName
    uncounted: CountsByName
    rejects: CountsByName
    lost: CountsByName
    late: int
    nodes: CountsByName
    newest_event_ns: int
    watermark_ns: int


class PipelineMetrics:
    """Tells ``metrics`` of one pipeline's closings and intake; ``stream`` names it there.

    ``counts.rejects`` of the pipeline holds the lines refused before they came to it, too: whoever
    decodes counts them there.
    """

    def __init__(self, metrics: Metrics, pipeline: Pipeline, stream: str = "0") -> None:
        self._metrics = metrics
        self._pipeline = pipeline
        self._stream = stream
        self._suppressed: dict[str, int] = {}
        self._refused = 0
        self._silent: list[str] = []

    def observe(self, closed: Closed) -> None:
        """Count a closing and its alerts, and what arrived until then."""
        pipeline, closing = self._pipeline, closed.closing
        suppressed = dict(pipeline.incidents.suppressed)
        self._silent = closing.completeness.silent_nodes
        self._metrics.observe_closing(
            _Closing(
                start=closing.start,
                end=closing.end,
                completeness=closing.completeness.share,
                attempts=closing.attempts,
                alerts=closed.alerts,
                suppressed={
                    entry: count - self._suppressed.get(entry, 0)
                    for entry, count in suppressed.items()
                    if count > self._suppressed.get(entry, 0)
                },
                subjects=len(pipeline.memory.subjects),
                connections=pipeline.connections,
                open_incidents=len(pipeline.incidents.open),
                refused_incidents=pipeline.incidents.refused - self._refused,
            ),
            self._stream,
        )
        self._suppressed = suppressed
        self._refused = pipeline.incidents.refused
        self._metrics.observe_scores(
            (subject.namespace, subject.workload, score)
            for subject, score in closing.scores.items()
        )
        self.observe_intake()

    def observe_intake(self) -> None:
        """Bring the counters up to what arrived; for the time between closings."""
        pipeline = self._pipeline
        counts = pipeline.counts
        unavailable = set(pipeline.memory.stream.unavailable)
        silent = set(self._silent) - unavailable
        known = set(pipeline.memory.stream.nodes.nodes) - unavailable - silent
        watermark = pipeline.watermark.current()
        self._metrics.observe_intake(
            _Intake(
                flows=counts.verdicts,
                uncounted=counts.uncounted,
                rejects=counts.rejects,
                lost=counts.lost,
                late=counts.late,
                nodes={
                    "connected": len(known),
                    "unavailable": len(unavailable),
                    "silent": len(silent),
                },
                newest_event_ns=(pipeline.newest or 0) * SECOND_NS,
                watermark_ns=(watermark or 0) * SECOND_NS,
            ),
            self._stream,
        )
