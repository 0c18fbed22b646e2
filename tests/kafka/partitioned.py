"""One recording through one pipeline, and the same through a router and a pipeline a partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.kafka.pulse import PulseSettings
from hubblewatch.kafka.router import Router
from hubblewatch.pipeline import Closed, Pipeline, PipelineSettings
from hubblewatch.window.closed import WindowRecord

PARTITIONS = 12
_BATCH = 64


@dataclass
class Outcome:
    """Closed windows and alert ids, each in an order that partitions can share."""

    windows: list[WindowRecord] = field(default_factory=list)
    alerts: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    """Numbers of the closings, pipeline by pipeline."""
    shares: list[list[float]] = field(default_factory=list)
    """Completeness of the closings, pipeline by pipeline."""
    rejects: list[Reject] = field(default_factory=list)
    flows: int = 0
    late: int = 0

    def add(self, closed: Sequence[Closed], pipeline: Pipeline) -> None:
        """Take all closings of one pipeline."""
        for one in closed:
            self.windows += [window.record() for window in one.closing.windows]
            self.alerts += [
                (a.window_start, a.detector, a.namespace, a.workload, a.id) for a in one.alerts
            ]
        self.numbers.append([one.closing.number for one in closed])
        self.shares.append([one.closing.completeness.share for one in closed])
        self.flows += pipeline.counts.flows
        self.late += pipeline.counts.late

    def sort(self) -> None:
        """Put windows and alerts into the order of time, then name."""
        self.windows.sort(key=lambda w: (w.start, w.namespace, w.workload, w.direction))
        self.alerts.sort()


def detectors() -> list[Detector]:
    """All detectors with their defaults."""
    return build_detectors(DetectorSettings())


def whole(lines: Sequence[bytes], found: Sequence[Detector] | None = None) -> Outcome:
    """Replay the lines through one pipeline."""
    outcome = Outcome()
    chosen = detectors() if found is None else found
    pipeline = Pipeline(PipelineSettings(), chosen, PARENTS, outcome.rejects.append)
    closed: list[Closed] = []
    for batch in _batches(lines):
        closed += pipeline.take(decode_lines(batch, outcome.rejects.append))
    closed += pipeline.finish()
    outcome.add(closed, pipeline)
    outcome.sort()
    return outcome


def route(
    lines: Iterable[bytes], outcome: Outcome, partitions: int = PARTITIONS
) -> list[list[bytes]]:
    """Give the lines of each partition, as they would be in Kafka."""
    router = Router(partitions, PulseSettings("test"), outcome.rejects.append)
    streams: list[list[bytes]] = [[] for _ in range(partitions)]

    def drain() -> None:
        for stream, routed in zip(streams, router.drain(), strict=True):
            stream.extend(encode_lines(routed).splitlines())

    for batch in _batches(list(lines)):
        router.take(decode_lines(batch, outcome.rejects.append))
        drain()
    router.finish()
    drain()
    return streams


def partitioned(
    lines: Sequence[bytes], found: Sequence[Detector] | None = None, **settings: Any
) -> Outcome:
    """Route the lines, and read each partition with a pipeline of its own, set as in
    PipelineSettings."""
    outcome = Outcome()
    for number, stream in enumerate(route(lines, outcome)):
        chosen = detectors() if found is None else found
        set_so = PipelineSettings(judges_source=number == 0, **settings)
        pipeline = Pipeline(set_so, chosen, PARENTS, outcome.rejects.append)
        closed: list[Closed] = []
        for batch in _batches(stream):
            closed += pipeline.take(decode_lines(batch, outcome.rejects.append))
        assert pipeline.finish() == []
        outcome.add(closed, pipeline)
    outcome.sort()
    return outcome


def _batches(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(lines), _BATCH):
        yield lines[start : start + _BATCH]
