"""A simulated recording through the whole of detection, and what it said about the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from hubblewatch.alert.record import AlertRecord
from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.incident.suppressions import Suppressions
from hubblewatch.pipeline import Pipeline, PipelineSettings
from hubblewatch.simulate import Label, ScenarioSpec, SimulationConfig, Size, Truth, simulate

_BATCH = 500
WINDOW_NS = 60_000_000_000


@dataclass
class Verdict:
    """The alerts of one recording, with its labels."""

    alerts: list[AlertRecord]
    labels: list[Label]
    windows: int

    def paged(self) -> list[AlertRecord]:
        """Alerts that opened or worsened at warning or critical."""
        return [
            alert
            for alert in self.alerts
            if alert.severity != "info" and alert.transition != "resolve"
        ]

    def windows_until(self, *detectors: str) -> int | None:
        """How many windows passed until one of the detectors named a right subject.

        1 is the window in which the attack began; None is never. A namespace's finding is right
        if a subject of the namespace is.
        """
        (label,) = self.labels
        subjects = {tuple(subject) for subject in label.subjects}
        subjects |= {(namespace, "", "outbound") for namespace, _, _ in subjects}
        for alert in self.paged():
            if alert.detector not in detectors:
                continue
            right = (alert.namespace, alert.workload, alert.direction) in subjects
            if right or not alert.namespace:
                begun = label.start_ns // WINDOW_NS
                return parse_ns(alert.window_start) // WINDOW_NS - begun + 1
        return None


def judge(
    scenario: str,
    seed: int,
    minutes: float = 60,
    size: Size = Size.MEDIUM,
    rate: float | None = None,
    suppressions: Suppressions | None = None,
) -> Verdict:
    """Simulate one scenario, detect, and give the verdict."""
    config = SimulationConfig(
        seed=seed,
        minutes=minutes,
        size=size,
        rate=rate,
        scenarios=(ScenarioSpec.parse(scenario),),
    )
    truth = Truth(on_window=lambda _: None)
    rejects: list[Reject] = []
    pipeline = Pipeline(
        PipelineSettings(), build_detectors(DetectorSettings()), PARENTS, rejects.append
    )
    if suppressions is not None:
        pipeline.suppressions = suppressions
    alerts: list[AlertRecord] = []
    windows = 0
    lines = simulate(config, truth)
    while batch := [line.rstrip(b"\n") for line in islice(lines, _BATCH)]:
        for closed in pipeline.take(decode_lines(batch, rejects.append)):
            alerts += closed.alerts
            windows += 1
    for closed in pipeline.finish():
        alerts += closed.alerts
        windows += 1
    assert not rejects
    return Verdict(alerts, truth.labels, windows)


def told(alerts: Sequence[AlertRecord]) -> str:
    """Give alerts as lines for a failing test's message."""
    return "\n".join(
        f"{a.window_start} {a.severity} {a.detector} {a.namespace}/{a.workload} "
        f"{a.direction}: {a.summary}"
        for a in alerts
    )
