"""Builders of what the metrics observe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from hubblewatch.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Alert:
    incident: str = "incident-1"
    status: str = "firing"
    detector: str = "new-edge"
    severity: str = "warning"
    namespace: str = "shop"
    workload: str = "cart"
    shadow: bool = False


@dataclass(frozen=True)
class ClosedNow:
    start: int = 1_700_000_000
    end: int = 1_700_000_060
    completeness: float = 1.0
    attempts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    suppressed: Mapping[str, int] = field(default_factory=dict)
    subjects: int = 0
    connections: int = 0
    open_incidents: int = 0
    refused_incidents: int = 0


@dataclass(frozen=True)
class Counts:
    flows: Mapping[Any, int] = field(default_factory=dict)
    uncounted: Mapping[Any, int] = field(default_factory=dict)
    rejects: Mapping[Any, int] = field(default_factory=dict)
    lost: Mapping[Any, int] = field(default_factory=dict)
    late: int = 0
    nodes: Mapping[Any, int] = field(default_factory=dict)
    newest_event_ns: int = 0
    watermark_ns: int = 0


def metrics(**settings: Any) -> Metrics:
    return Metrics(CollectorRegistry(), version="1.2.3", **settings)


def sample(observed: Metrics, name: str, **labels: str) -> float | None:
    return observed.registry.get_sample_value(name, labels)
