"""Every metric family of the service, in one place with its help text."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from hubblewatch.metrics.capped import DEFAULT_CAP, CappedFamily
from hubblewatch.metrics.kinds import ComputedGauge, Counter, FoldedSeries, Gauge, Summary
from hubblewatch.metrics.labels import (
    LOSS_SOURCES,
    NODE_STATES,
    REJECT_REASONS,
    UNCOUNTED,
    VERDICTS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

FEW = 300
"""Cap of families whose labels come from closed sets, the configuration or the partitions."""


class Families:
    """The families, registered with ``registry``; ``watermark_lag`` is asked at each scrape.

    Counters over closed sets start at zero for each value, so that the first rejected line is an
    increase and not a series without a past.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        version: str,
        watermark_lag: Callable[[], float | None],
        cap: int = DEFAULT_CAP,
    ) -> None:
        # Alerts
        self.alerts_active = Gauge(
            "hubblewatch_alerts_active",
            "Alerts firing now. One alert per incident, without those of detectors in shadow mode.",
            ("detector", "severity", "namespace", "workload"),
            cap=cap,
        )
        self.alerts_total = Counter(
            "hubblewatch_alerts_total",
            "Alert records sent: an incident opened or worsened (firing) or ended (resolved).",
            ("detector", "severity", "status"),
            cap=FEW,
        )
        self.shadow_alerts_total = Counter(
            "hubblewatch_shadow_alerts_total",
            "Alert records that a detector in shadow mode would have sent.",
            ("detector", "severity", "status"),
            cap=FEW,
        )
        self.suppressed_total = Counter(
            "hubblewatch_suppressed_total",
            "Findings held back by an entry of the suppression list.",
            ("entry",),
            cap=FEW,
        )
        self.incidents_open = Gauge("hubblewatch_incidents_open", "Incidents open now.")
        self.incidents_refused_total = Counter(
            "hubblewatch_incidents_refused_total",
            "Incidents not opened, or ended, because as many were open as can be.",
        )

        # Traffic
        self.flows_total = Counter(
            "hubblewatch_flows_total",
            "Flow events read, by Hubble's verdict.",
            ("verdict",),
            cap=FEW,
        )
        self.attempts_total = Counter(
            "hubblewatch_attempts_total",
            "Connection attempts in closed windows, by the subject's namespace.",
            ("namespace", "protocol", "outcome"),
            cap=cap,
        )
        self.anomaly_score = Summary(
            "hubblewatch_anomaly_score",
            "Anomaly scores of closed windows, higher is more anomalous.",
            ("namespace", "workload"),
            cap=cap,
        )

        # How well the service sees
        self.window_completeness = Gauge(
            "hubblewatch_window_completeness",
            "Share of events that reached the last closed window, 0 to 1; the worst partition's.",
        )
        self.windows_closed_total = Counter("hubblewatch_windows_closed_total", "Windows closed.")
        self.lost_events_total = Counter(
            "hubblewatch_lost_events_total",
            "Events lost before they reached this process, by source. Every worker hears of every "
            "loss: take the maximum over workers, not the sum.",
            ("source",),
            cap=FEW,
        )
        self.late_flows_total = Counter(
            "hubblewatch_late_flows_total", "Flow events that came after their window had closed."
        )
        self.uncounted_flows_total = Counter(
            "hubblewatch_uncounted_flows_total",
            "Flow events that were read and are in no attempt, by reason; connection-table and "
            "look-ups are those that there was no room for.",
            ("reason",),
            cap=FEW,
        )
        self.rejected_lines_total = Counter(
            "hubblewatch_rejected_lines_total",
            "Lines that could not be used, by reason.",
            ("reason",),
            cap=FEW,
        )
        self.nodes = Gauge("hubblewatch_nodes", "Nodes known to the stream, by state.", ("state",))

        # Where the service stands
        self.watermark_timestamp = Gauge(
            "hubblewatch_watermark_timestamp_seconds",
            "Event time up to which flows are complete, by partition.",
            ("partition",),
        )
        self.newest_event_timestamp = Gauge(
            "hubblewatch_newest_event_timestamp_seconds",
            "Newest event time read, over all partitions.",
        )
        self.watermark_lag = ComputedGauge(
            "hubblewatch_watermark_lag_seconds",
            "How far the slowest partition's watermark is behind the wall clock.",
            watermark_lag,
        )
        self.consumer_lag = Gauge(
            "hubblewatch_consumer_lag_records",
            "Records of the flow topic not yet read, by partition; none while Kafka does not tell.",
            ("partition",),
        )
        self.subjects = Gauge("hubblewatch_subjects", "Workloads whose past is remembered.")
        self.connections = Gauge("hubblewatch_connections", "Connections remembered.")

        # What runs
        self.model_info = Gauge(
            "hubblewatch_model_info",
            "The loaded model; always 1. Mode is active or shadow.",
            ("model", "version", "mode"),
        )
        self.build_info = Gauge(
            "hubblewatch_build_info",
            "The running version; always 1.",
            ("version", "python"),
        )
        self.build_info.set((version, platform.python_version()), 1)

        for counter, label in (
            *((self.flows_total, verdict) for verdict in VERDICTS.values),
            *((self.lost_events_total, source) for source in LOSS_SOURCES.values),
            *((self.uncounted_flows_total, reason) for reason in UNCOUNTED.values),
            *((self.rejected_lines_total, reason) for reason in REJECT_REASONS.values),
        ):
            counter.add((label,), 0)
        for plain in (self.windows_closed_total, self.late_flows_total):
            plain.add((), 0)
        for state in NODE_STATES.values:
            self.nodes.set((state,), 0)

        families = list(vars(self).values())
        for family in families:
            registry.register(family)
        registry.register(
            FoldedSeries(
                [one for one in families if isinstance(one, CappedFamily) and one.label_names]
            )
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
