"""Policies that deny."""

from __future__ import annotations

from hubblewatch.simulate.clock import SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.randomness import between, distinct, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.scene import EdgeFault
from hubblewatch.simulate.workloads import Workload


class PolicyBreak(Scenario):
    """A policy change denies one busy edge that was allowed: all its new connections fail by
    ingress policy (POLICY_DENY with the rule's name), or, where HTTP goes through the proxy, by an
    L7 rule (403). The client tries again, some 20 attempts a minute on top of the edge's own."""

    name = "policy-break"
    detectors = ("policy-denials",)
    unit = "share of the edge's connections that are denied, and retries (20 a minute)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        edges = sorted(
            (
                edge
                for edge in scene.edges
                if isinstance(edge.destination, Workload)
                and edge.source is not None
                and edge.source.tier in ("api", "frontend", "worker")
                and edge.protocol is Protocol.TCP
                and not edge.pooled
            ),
            key=lambda edge: -edge.rate,
        )
        edge = pick(rng, edges[: max(1, len(edges) // 3)])
        assert edge.source is not None
        assert isinstance(edge.destination, Workload)
        plan.subjects.append((*edge.source.subject, "outbound"))
        course = Course.DENIED_L7 if edge.http_visible else Course.DENIED_INGRESS
        fault = EdgeFault((course,), min(1.0, plan.intensity), "restrict-ingress")
        source, destination = edge.source, edge.destination

        def begin(_: int) -> None:
            scene.faults[edge.key] = fault

        def end(_: int) -> None:
            scene.faults.pop(edge.key, None)

        def retry(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods, peers = source.alive(), destination.alive()
            if pods and peers:
                scene.call(now_ns, pick(rng, pods), edge, rng, pick(rng, peers), lookups=0.0)
            return now_ns + exponential_ns(rng, 3.0 / max(0.01, plan.intensity))

        scene.traffic.once(plan.start_ns, begin)
        scene.traffic.at(plan.start_ns + SECOND, retry)
        scene.traffic.once(plan.end_ns, end)


class DeniedProbe(Scenario):
    """One pod tries destinations its policy forbids, 6 attempts a minute, over 8 destinations
    and the ports 22, 443, 2379, 5432, 6379 and 8080; egress policy denies each."""

    name = "denied-probe"
    detectors = ("policy-denials", "new-edge")
    unit = "attempts a minute (6)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        source = pick(rng, scene.cluster.tier("api", "worker", "frontend"))
        others = [other for other in scene.cluster.workloads if other is not source and other.ports]
        targets = distinct(rng, others, 8)
        plan.subjects.append((*source.subject, "outbound"))

        def probe(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods, peers = source.alive(), pick(rng, targets).alive()
            if pods and peers:
                scene.traffic.open(
                    now_ns, pods[0], pick(rng, peers), Protocol.TCP,
                    pick(rng, (22, 443, 2379, 5432, 6379, 8080)),
                    course=Course.DENIED_EGRESS, exchanges=between(rng, 2, 4),
                )  # fmt: skip
            return now_ns + exponential_ns(rng, 10.0 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, probe)
