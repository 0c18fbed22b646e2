"""What goes wrong between the cluster and the recording; the traffic itself is untouched."""

from __future__ import annotations

from hubblewatch.simulate.clock import SECOND
from hubblewatch.simulate.disturbances import Late, Repeated, Restart, RingLoss
from hubblewatch.simulate.randomness import distinct
from hubblewatch.simulate.scenarios.base import Plan, Scenario


class RingBufferLoss(Scenario):
    """A third of the nodes (at least one) lose 30 % of their events for 5 minutes, each second in
    a burst, and say so in lost_events lines (PERF_EVENT_RING_BUFFER)."""

    name = "ring-buffer-loss"
    kind = "disturbance"
    detectors = ("source-degraded",)
    minutes = 5.0
    unit = "share of events lost (0.3, at most 0.95)"

    def begin(self, plan: Plan) -> None:
        nodes = plan.scene.cluster.nodes
        lossy = distinct(plan.rng, nodes, max(1, len(nodes) // 3))
        plan.disturbances.append(
            RingLoss(
                plan.start_ns,
                plan.end_ns,
                min(0.95, 0.3 * plan.intensity),
                {node.index: node.name for node in lossy},
                plan.rng,
            )
        )


class LateLines(Scenario):
    """2 % of the lines arrive one to four minutes late."""

    name = "late-lines"
    kind = "disturbance"
    detectors = ("source-degraded",)
    unit = "share of lines (0.02)"

    def begin(self, plan: Plan) -> None:
        share = min(1.0, 0.02 * plan.intensity)
        plan.disturbances.append(Late(plan.start_ns, plan.end_ns, share, plan.rng))


class DuplicateDelivery(Scenario):
    """30 % of the lines arrive a second time, up to 5 s later."""

    name = "duplicate-delivery"
    kind = "disturbance"
    unit = "share of lines (0.3)"

    def begin(self, plan: Plan) -> None:
        share = min(1.0, 0.3 * plan.intensity)
        plan.disturbances.append(Repeated(plan.start_ns, plan.end_ns, share, plan.rng))


class ExporterRestart(Scenario):
    """The exporter is gone for 8 s; then it asks again from 5 s before it stopped, so that the
    lines of 13 s arrive at once, those of the first 5 s for the second time. Heartbeats stop
    meanwhile and count from 1 again."""

    name = "exporter-restart"
    kind = "disturbance"
    detectors = ("source-degraded",)
    minutes = 1.0
    unit = "length of the gap (8 s)"

    def begin(self, plan: Plan) -> None:
        gap_ns = int(8 * SECOND * max(0.05, plan.intensity))
        plan.disturbances.append(Restart(plan.start_ns, plan.start_ns + gap_ns, 5 * SECOND))
