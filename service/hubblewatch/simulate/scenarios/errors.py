"""Backends that do not answer."""

from __future__ import annotations

from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.randomness import between, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.scene import EdgeFault
from hubblewatch.simulate.workloads import Workload


class ConnectivityErrors(Scenario):
    """A backend dies: of all connections to it two thirds are refused (RST), the rest unanswered,
    and its busiest client tries again, 30 attempts a minute on top, a sixth of which find no
    backend (SERVICE_BACKEND_NOT_FOUND)."""

    name = "connectivity-errors"
    detectors = ("connectivity-errors",)
    minutes = 8.0
    unit = "share of connections that fail, and retries (30 a minute)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        edges = sorted(
            (
                edge
                for edge in scene.edges
                if isinstance(edge.destination, Workload)
                and edge.source is not None
                and edge.destination.tier in ("api", "cache", "database")
                and edge.source.tier in ("api", "frontend", "worker")
                and edge.protocol is Protocol.TCP
                and not edge.pooled
            ),
            key=lambda edge: -edge.rate,
        )
        busiest = pick(rng, edges[: max(1, len(edges) // 4)])
        source, backend = busiest.source, busiest.destination
        assert source is not None
        assert isinstance(backend, Workload)
        broken = [edge for edge in scene.edges if edge.destination is backend]
        # Whoever calls it is right to complain, retries or not.
        callers = {edge.source.subject for edge in broken if edge.source is not None}
        plan.subjects.extend((*subject, "outbound") for subject in sorted(callers))
        fault = EdgeFault(
            (Course.REFUSED, Course.REFUSED, Course.UNANSWERED), min(1.0, plan.intensity)
        )

        def begin(_: int) -> None:
            for edge in broken:
                scene.faults[edge.key] = fault

        def end(_: int) -> None:
            for edge in broken:
                scene.faults.pop(edge.key, None)

        def retry(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods, peers = source.alive(), backend.alive()
            if pods and peers and rng.random() < 1 / 6:
                scene.traffic.open(now_ns, pick(rng, pods), pick(rng, peers), Protocol.TCP,
                                   busiest.port, course=Course.DROPPED, drop_reason=158,
                                   exchanges=between(rng, 1, 3))  # fmt: skip
            elif pods and peers:
                scene.call(now_ns, pick(rng, pods), busiest, rng, pick(rng, peers), lookups=0.0)
            return now_ns + exponential_ns(rng, 2.0 / max(0.01, plan.intensity))

        scene.traffic.once(plan.start_ns, begin)
        scene.traffic.at(plan.start_ns, retry)
        scene.traffic.once(plan.end_ns, end)
