"""Contact with places outside the cluster."""

from __future__ import annotations

from random import Random

from hubblewatch.simulate.clock import MILLISECOND, SECOND
from hubblewatch.simulate.connections import Protocol
from hubblewatch.simulate.names import RARE_DOMAINS
from hubblewatch.simulate.randomness import between, distinct, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.workloads import Workload


def _dns_visible_workload(plan: Plan) -> Workload:
    candidates = plan.scene.cluster.tier("api", "worker", "frontend")
    visible = [workload for workload in candidates if workload.namespace.dns_visible]
    return pick(plan.rng, visible or candidates)


class DnsTunnel(Scenario):
    """One pod asks for ever new names of 40 to 60 characters under one domain, 60 a minute; half
    do not exist. The names show only where DNS goes through the proxy; a pod from such a namespace
    is taken if there is one."""

    name = "dns-tunnel"
    detectors = ("dns-anomaly",)
    unit = "names a minute (60)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        source = _dns_visible_workload(plan)
        domain = pick(rng, RARE_DOMAINS)
        plan.subjects.append((*source.subject, "outbound"))

        def ask(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods = source.alive()
            if pods:
                label = _base32(rng, between(rng, 40, 60))
                rcode = 3 if rng.random() < 0.5 else 0
                scene.lookup(now_ns, pods[0], f"{label}.t.{domain}.", rng, rcode=rcode,
                             address="203.0.113.9")  # fmt: skip
            return now_ns + exponential_ns(rng, 1.0 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, ask)


def _base32(rng: Random, length: int) -> str:
    return "".join(pick(rng, "abcdefghijklmnopqrstuvwxyz234567") for _ in range(length))


class NewEgress(Scenario):
    """One workload with no or few external destinations contacts three new ones on port 443, 6
    connections a minute in all, after resolving their names."""

    name = "new-egress"
    detectors = ("external-egress",)
    unit = "connections a minute (6)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        outward = [
            edge.source.subject
            for edge in scene.edges
            if edge.source is not None and not isinstance(edge.destination, Workload)
        ]
        candidates = scene.cluster.tier("api", "worker", "frontend")
        source = pick(rng, [w for w in candidates if w.subject not in outward] or candidates)
        plan.subjects.append((*source.subject, "outbound"))
        targets = [
            scene.cluster.new_world(rng, f"files{number}.{domain}")
            for number, domain in enumerate(distinct(rng, RARE_DOMAINS, 3))
        ]

        def send(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods = source.alive()
            if pods:
                pod, target = pick(rng, pods), pick(rng, targets)
                then_ns = now_ns
                if rng.random() < 0.3:
                    then_ns = scene.resolve(now_ns, pod, f"{target.fqdn}.", rng, target.ip)
                scene.traffic.open(then_ns, pod, target, Protocol.TCP, 443,
                                   lifetime_ns=between(rng, 100, 4_000) * MILLISECOND,
                                   exchanges=between(rng, 3, 12))  # fmt: skip
            return now_ns + exponential_ns(rng, 10.0 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, send)


class Beacon(Scenario):
    """One pod contacts one rare external address on port 443 every 60 s with 5 % jitter, a short
    exchange each time, without resolving a name."""

    name = "beacon"
    detectors = ("beaconing",)
    unit = "contacts a minute (1)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        source = pick(rng, scene.cluster.tier("api", "worker", "frontend"))
        plan.subjects.append((*source.subject, "outbound"))
        target = scene.cluster.new_world(rng)
        period_ns = 60 * SECOND / max(0.01, plan.intensity)

        def call(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods = source.alive()
            if pods:
                scene.traffic.open(now_ns, pods[0], target, Protocol.TCP, 443,
                                   lifetime_ns=between(rng, 60, 140) * MILLISECOND)  # fmt: skip
            return now_ns + int(period_ns * (0.95 + 0.1 * rng.random()))

        scene.traffic.at(plan.start_ns, call)
