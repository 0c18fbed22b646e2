"""A bit of everything at once: nothing by itself that a single count would show."""

from __future__ import annotations

from hubblewatch.simulate.clock import MILLISECOND, SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.randomness import between, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.scenarios.sprawl import usual_peers
from hubblewatch.simulate.workloads import Workload

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


class FamiliarPaths(Scenario):
    """Somebody uses a workload's own paths for 15 minutes, so that no contact is new: every 20 s a
    connection to one of its usual peers is refused (a login that fails), and every 10 s one goes to
    an external destination that it seldom uses, each on its usual port."""

    name = "familiar-paths"
    detectors = ("isolation-forest",)
    minutes = 15.0
    unit = "connections (3 refused and 6 to the outside a minute)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        inner = [
            edge
            for edge in scene.edges
            if edge.source is not None
            and isinstance(edge.destination, Workload)
            and edge.source.tier in ("api", "worker")
            and edge.protocol is Protocol.TCP
        ]
        outer = [
            edge
            for edge in scene.edges
            if edge.source is not None
            and not isinstance(edge.destination, Workload)
            and edge.protocol is Protocol.TCP
            and any(other.source is edge.source for other in inner)
        ]
        outside = min(outer, key=lambda edge: (edge.rate, edge.key))
        source = outside.source
        assert source is not None
        inside = pick(rng, [edge for edge in inner if edge.source is source])
        target = inside.destination
        assert isinstance(target, Workload)
        plan.subjects.append((*source.subject, "outbound"))
        step_ns = int(20 * SECOND / max(0.01, plan.intensity))

        def fail(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods, peers = source.alive(), target.alive()
            if pods and peers:
                scene.traffic.open(now_ns, pods[0], pick(rng, peers), Protocol.TCP, inside.port,
                                   course=Course.REFUSED)  # fmt: skip
            return now_ns + step_ns

        def carry(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods = source.alive()
            if pods and not isinstance(outside.destination, Workload):
                scene.traffic.open(now_ns, pods[0], outside.destination, Protocol.TCP, outside.port,
                                   lifetime_ns=between(rng, 500, 5_000) * MILLISECOND,
                                   exchanges=between(rng, 6, 20))  # fmt: skip
            return now_ns + step_ns // 2

        scene.traffic.at(plan.start_ns, fail)
        scene.traffic.at(plan.start_ns + SECOND, carry)
