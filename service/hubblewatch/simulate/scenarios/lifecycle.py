"""Pods that come and go, as they do in a healthy cluster."""

from __future__ import annotations

from hubblewatch.simulate.background import start_edge
from hubblewatch.simulate.clock import MILLISECOND, SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.disturbances import SilentNode
from hubblewatch.simulate.peers import Pod
from hubblewatch.simulate.randomness import between, distinct, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.service_graph import Edge
from hubblewatch.simulate.workloads import Workload, name_suffix


class Rollout(Scenario):
    """Three Deployments get a new version: a pod every 10 s is replaced by one with a new name and
    address, and each new pod pings 8 others, which policy denies."""

    name = "rollout"
    kind = "disturbance"
    minutes = 5.0
    unit = "Deployments that roll (3)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        candidates = scene.cluster.tier("api", "frontend", "worker")
        count = max(1, round(3 * plan.intensity))
        for workload in distinct(rng, candidates, count):
            plan.subjects.append((*workload.subject, "outbound"))
            fresh_hash = name_suffix(rng, 9)
            for number, pod in enumerate(list(workload.pods)):
                at_ns = plan.start_ns + number * 10 * SECOND + between(rng, 0, 3_000) * MILLISECOND

                def replace(
                    now_ns: int,
                    workload: Workload = workload,
                    pod: Pod = pod,
                    fresh_hash: str = fresh_hash,
                ) -> None:
                    workload.template_hash = fresh_hash
                    fresh = scene.start_pod(workload, rng, pick(rng, scene.running_nodes()), now_ns)
                    scene.stop_pod(workload, pod, now_ns)
                    others = [w for w in candidates if w.pods and w is not workload]
                    for order, other in enumerate(distinct(rng, others, 8)):
                        scene.traffic.open(
                            now_ns + order * 200 * MILLISECOND, fresh, pick(rng, other.pods),
                            Protocol.ICMP, 0, course=Course.DENIED_EGRESS, exchanges=3,
                        )  # fmt: skip

                scene.traffic.once(at_ns, replace)


class ScaleOut(Scenario):
    """A Deployment goes to three times its replicas, one pod a second, and its outgoing traffic
    doubles."""

    name = "scale-out"
    kind = "disturbance"
    unit = "additional pods (twice the replicas)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        workload = pick(rng, scene.cluster.tier("api", "frontend"))
        plan.subjects.append((*workload.subject, "outbound"))
        count = max(1, round(2 * len(workload.pods) * plan.intensity))
        left = [count]

        def calm(_: int) -> None:
            for edge in scene.edges:
                if edge.source is workload:
                    edge.rate /= 2

        def grow(now_ns: int) -> int | None:
            if left[0] == count:
                for edge in scene.edges:
                    if edge.source is workload:
                        edge.rate *= 2
            if left[0] <= 0:
                return None
            left[0] -= 1
            scene.start_pod(workload, rng, pick(rng, scene.running_nodes()), now_ns)
            return now_ns + SECOND

        scene.traffic.at(plan.start_ns, grow)
        if plan.end_ns < scene.config.end_ns:
            # The pods stay; what they had to do is done.
            scene.traffic.once(plan.end_ns, calm)


class NodeLoss(Scenario):
    """A node dies: its Hubble falls silent, its pods answer no more and stay in service for 60 s;
    then they start elsewhere. The node does not come back."""

    name = "node-loss"
    kind = "disturbance"
    detectors = ("silence", "source-degraded", "connectivity-errors")
    unit = "time until the pods move (60 s)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        cluster = scene.cluster
        node = pick(rng, cluster.nodes[1:])
        survivors = [other for other in cluster.nodes if other is not node]
        plan.disturbances.append(SilentNode(node.index, node.name, plan.start_ns))
        lost: list[tuple[Workload, Pod]] = []

        def die(now_ns: int) -> None:
            node.down = True
            for workload in cluster.workloads:
                for pod in workload.pods:
                    if pod.node is node:
                        pod.alive = False
                        pod.stopped_ns = now_ns
                        lost.append((workload, pod))
                        plan.subjects.append((*workload.subject, "outbound"))

        def move(now_ns: int) -> None:
            for workload, pod in lost:
                scene.stop_pod(workload, pod, now_ns)
                if workload.kind not in ("DaemonSet", "CronJob"):
                    scene.start_pod(workload, rng, pick(rng, survivors), now_ns)

        scene.traffic.once(plan.start_ns, die)
        scene.traffic.once(plan.start_ns + int(60 * SECOND * max(0.05, plan.intensity)), move)


class NewService(Scenario):
    """A new Deployment of two pods appears: a frontend calls it, and it calls two APIs and opens a
    pool to a database, 30 connections a minute on each edge."""

    name = "new-service"
    kind = "disturbance"
    detectors = ("new-edge",)
    unit = "connections a minute and edge (30)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        cluster = scene.cluster
        caller = pick(rng, cluster.tier("frontend"))
        namespace = caller.namespace
        apis = distinct(rng, cluster.tier("api"), 2)
        store = pick(rng, cluster.tier("database"))
        plan.subjects.extend(
            [(namespace.name, "preview", "outbound"), (*caller.subject, "outbound")]
        )

        def appear(now_ns: int) -> None:
            fresh = cluster.add_workload(rng, namespace, "preview", "Deployment", "api", 2, (8080,))
            rate = 0.5 * plan.intensity
            edges = [Edge(caller, fresh, 8080, Protocol.TCP, rate, key="preview:in")]
            edges.extend(
                Edge(fresh, api, api.ports[0], Protocol.TCP, rate, key=f"preview:{number}")
                for number, api in enumerate(apis)
            )
            edges.append(
                Edge(
                    fresh, store, store.ports[0], Protocol.TCP, rate, pooled=True, key="preview:db"
                )
            )
            for edge in edges:
                scene.edges.append(edge)
                start_edge(scene, edge, now_ns, plan.end_ns)

        scene.traffic.once(plan.start_ns, appear)
