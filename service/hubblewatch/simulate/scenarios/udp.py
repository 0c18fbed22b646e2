"""Floods and shifts of UDP."""

from __future__ import annotations

from hubblewatch.simulate.clock import MILLISECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.randomness import exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario


class UdpFlood(Scenario):
    """One pod sends one-way UDP to another workload's port 9999 from ever new source ports, 20
    attempts a second, for 5 minutes."""

    name = "udp-flood"
    detectors = ("udp-spike",)
    minutes = 5.0
    unit = "attempts a second (20; at most about 90 a pod, for its source ports run out)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        source = pick(rng, scene.cluster.tier("api", "worker"))
        target = pick(rng, [w for w in scene.cluster.tier("api", "frontend") if w is not source])
        plan.subjects.append((*source.subject, "outbound"))

        def send(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods, peers = source.alive(), target.alive()
            if pods and peers:
                scene.traffic.open(now_ns, pods[0], peers[0], Protocol.UDP, 9999,
                                   course=Course.ONE_WAY, lifetime_ns=MILLISECOND)  # fmt: skip
            return now_ns + exponential_ns(rng, 0.05 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, send)


class UdpShareShift(Scenario):
    """All workloads of one namespace send UDP (port 5005, one-way) to a service in it, four times
    as many attempts as the namespace makes of TCP, so that UDP's share passes 70 %."""

    name = "udp-share-shift"
    detectors = ("udp-spike",)
    unit = "UDP attempts for each TCP attempt of the namespace (4)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        rates: dict[str, float] = {}
        for edge in scene.edges:
            if edge.source is not None and edge.protocol is Protocol.TCP and not edge.pooled:
                name = edge.source.namespace.name
                if not edge.source.namespace.system:
                    rates[name] = rates.get(name, 0.0) + edge.rate
        name = pick(rng, sorted(rates, key=lambda known: -rates[known])[:3])
        senders = [
            workload
            for workload in scene.cluster.workloads
            if workload.namespace.name == name and workload.kind == "Deployment"
        ]
        plan.subjects.extend((*sender.subject, "outbound") for sender in senders)
        target = pick(rng, scene.cluster.tier("api"))
        rate = max(0.5, rates[name]) * 4 * plan.intensity

        def send(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods, peers = pick(rng, senders).alive(), target.alive()
            if pods and peers:
                scene.traffic.open(now_ns, pick(rng, pods), pick(rng, peers), Protocol.UDP, 5005,
                                   course=Course.ONE_WAY, lifetime_ns=MILLISECOND)  # fmt: skip
            return now_ns + exponential_ns(rng, 1 / max(0.001, rate))

        scene.traffic.at(plan.start_ns, send)
