"""A bit of everything at once: nothing by itself that a single count would show."""

from __future__ import annotations

from hubblewatch.simulate.clock import MILLISECOND, SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.randomness import between, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.scenarios.sprawl import usual_peers

_PORTS = (22, 445, 2049, 3306, 5432, 6379, 8443, 9000, 9200, 27017)


class DataStaging(Scenario):
    """One pod collects data for 15 minutes without haste: 6 connections a minute to pods of the
    namespaces that its workload talks to anyway, on ports of file shares and databases, of which
    60 % are answered, 32 % refused and 8 % denied; each fourth connection is followed by one that
    carries what was found to an external address. No single count shows what a rule looks for."""

    name = "data-staging"
    detectors = ("new-edge", "isolation-forest")
    minutes = 15.0
    unit = "connections a minute (6)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        cluster = scene.cluster
        source = pick(rng, cluster.tier("api", "worker", "frontend"))
        plan.subjects.append((*source.subject, "outbound"))
        near = {source.namespace.name, *(name for name, _ in usual_peers(scene, source))}
        outside = cluster.new_world(rng)

        def collect(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods = source.alive()
            targets = [
                workload
                for workload in cluster.workloads
                if workload.namespace.name in near and workload is not source and workload.alive()
            ]
            if pods and targets:
                chance = rng.random()
                course = Course.NORMAL
                if chance >= 0.92:
                    course = Course.DENIED_INGRESS
                elif chance >= 0.6:
                    course = Course.REFUSED
                pod = pods[0]
                scene.traffic.open(now_ns, pod, pick(rng, pick(rng, targets).alive()), Protocol.TCP,
                                   pick(rng, _PORTS), course=course,
                                   exchanges=between(rng, 2, 6))  # fmt: skip
                if rng.random() < 0.25:
                    scene.traffic.open(now_ns + SECOND, pod, outside, Protocol.TCP, 443,
                                       lifetime_ns=between(rng, 500, 9_000) * MILLISECOND,
                                       exchanges=between(rng, 6, 20))  # fmt: skip
            return now_ns + exponential_ns(rng, 10.0 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, collect)
