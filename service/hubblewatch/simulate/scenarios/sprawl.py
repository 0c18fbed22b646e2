"""One workload that reaches where it never reached before."""

from __future__ import annotations

from hubblewatch.simulate.clock import SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.peers import Peer
from hubblewatch.simulate.randomness import between, distinct, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.scene import Scene
from hubblewatch.simulate.service_graph import Edge
from hubblewatch.simulate.settings import Size
from hubblewatch.simulate.workloads import Workload


def usual_peers(scene: Scene, source: Workload) -> set[tuple[str, str]]:
    """Subjects that `source` talks to in quiet times."""
    return {
        edge.destination.subject
        for edge in scene.edges
        if edge.source is source and isinstance(edge.destination, Workload)
    }


def quietest_api(plan: Plan) -> Workload:
    """An API or worker that reaches few namespaces by itself."""

    def reach(workload: Workload) -> int:
        return len({namespace for namespace, _ in usual_peers(plan.scene, workload)})

    candidates = sorted(plan.scene.cluster.tier("api", "worker"), key=reach)
    return pick(plan.rng, candidates[: max(1, len(candidates) // 2)])


class _Sprawl(Scenario):
    detectors: tuple[str, ...] = ("namespace-sprawl",)
    least_size = Size.MEDIUM
    step_seconds = 20.0

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        source = quietest_api(plan)
        plan.subjects.append((*source.subject, "outbound"))
        usual = {namespace for namespace, _ in usual_peers(scene, source)}
        order: list[Workload] = []
        for namespace in distinct(rng, scene.cluster.namespaces, len(scene.cluster.namespaces)):
            there = [
                workload
                for workload in scene.cluster.workloads
                if workload.namespace is namespace and workload.ports
            ]
            if there and namespace.name not in usual:
                order.append(pick(rng, there))
        step_ns = int(self.step_seconds * SECOND / max(0.01, plan.intensity))

        def reach(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns or not order:
                return None
            target = order.pop(0)
            pods, peers = source.alive(), target.alive()
            if pods and peers:
                edge = Edge(source, target, target.ports[0], Protocol.TCP, 0.0, lookups=1.0)
                for number in range(3):
                    at_ns = now_ns + number * 2 * SECOND
                    scene.call(at_ns, pods[0], edge, rng, pick(rng, peers))
            return now_ns + step_ns

        scene.traffic.at(plan.start_ns, reach)


class NamespaceSprawlFast(_Sprawl):
    """One workload contacts a namespace it never talked to every 20 s, three connections each,
    until it has been everywhere. Needs more than five namespaces to show: size medium or large."""

    name = "namespace-sprawl-fast"
    unit = "new namespaces (one each 20 s)"


class NamespaceSprawlSlow(_Sprawl):
    """One workload contacts a namespace it never talked to every 4 minutes, three connections
    each, for 45 minutes or until it has been everywhere."""

    name = "namespace-sprawl-slow"
    minutes = 45.0
    # So slow a succession proves something only against a past of hours.
    lead_minutes = 120.0
    unit = "new namespaces (one each 4 minutes)"
    step_seconds = 240.0


class LateralMovement(Scenario):
    """One pod opens new edges one after another, one a minute, three connections each: to
    databases and caches first, then the kube-apiserver, then other namespaces' services; a third
    of the peers deny it by ingress policy."""

    name = "lateral-movement"
    detectors = ("new-edge", "namespace-sprawl")
    least_size = Size.MEDIUM
    unit = "new peers a minute (1)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        cluster = scene.cluster
        source = quietest_api(plan)
        plan.subjects.append((*source.subject, "outbound"))
        usual = usual_peers(scene, source)
        targets: list[tuple[Workload | None, int]] = []
        for tiers in (("database", "cache", "queue"), ("api", "frontend", "scraper")):
            fresh = [w for w in cluster.tier(*tiers) if w.subject not in usual and w is not source]
            targets.extend((w, w.ports[0]) for w in distinct(rng, fresh, len(fresh)))
            if tiers[0] == "database":
                targets.append((None, 6443))

        def move(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns or not targets:
                return None
            target, port = targets.pop(0)
            pods = source.alive()
            peers: list[Peer] = list(target.alive()) if target else [cluster.apiserver]
            denied = target is not None and rng.random() < 1 / 3
            if pods and peers:
                for number in range(3):
                    scene.traffic.open(
                        now_ns + number * 3 * SECOND, pods[0], pick(rng, peers), Protocol.TCP, port,
                        course=Course.DENIED_INGRESS if denied else Course.NORMAL,
                        exchanges=between(rng, 1, 3),
                    )  # fmt: skip
            return now_ns + int(60 * SECOND / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, move)
