"""A workload that stops while all around it goes on."""

from __future__ import annotations

from hubblewatch.simulate.peers import Pod
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.workloads import Workload


class WorkloadStop(Scenario):
    """All pods of a workload hang at once: their kernels still answer whoever connects, but they
    open nothing any more. Its nodes, its namespace and its callers go on."""

    name = "workload-stop"
    detectors = ("silence",)
    lead_minutes = 62.0
    unit = "connections a minute of the workload that stops (6, or the next busier one)"

    def begin(self, plan: Plan) -> None:
        workload = _steady_caller(plan)
        plan.subjects.append((*workload.subject, "outbound"))
        hung: list[Pod] = []

        def hang(_: int) -> None:
            for pod in workload.alive():
                pod.alive = False
                hung.append(pod)

        def recover(now_ns: int) -> None:
            for pod in hung:
                pod.alive = pod.stopped_ns > now_ns

        plan.scene.traffic.once(plan.start_ns, hang)
        if plan.end_ns < plan.scene.config.end_ns:
            plan.scene.traffic.once(plan.end_ns, recover)


def _steady_caller(plan: Plan) -> Workload:
    """Give the least busy workload that still opens that many connections, else the busiest."""
    rates: dict[tuple[str, str], float] = {}
    callers: dict[tuple[str, str], Workload] = {}
    for edge in plan.scene.edges:
        source = edge.source
        if source is None or edge.pooled or source.tier not in ("api", "frontend", "worker"):
            continue
        rates[source.subject] = rates.get(source.subject, 0.0) + 60 * edge.rate
        callers[source.subject] = source
    by_rate = sorted(rates, key=lambda subject: (rates[subject], subject))
    wanted = 6 * plan.intensity
    return callers[next((s for s in by_rate if rates[s] >= wanted), by_rate[-1])]
