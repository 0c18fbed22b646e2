"""Looking for open doors."""

from __future__ import annotations

from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.randomness import distinct, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario


class PortScan(Scenario):
    """One pod tries one port after another of one other pod, 120 a minute, for 5 minutes: the
    open ones answer, half of the others are refused (RST), the rest denied by ingress policy."""

    name = "port-scan"
    detectors = ("port-scan",)
    minutes = 5.0
    unit = "ports a minute (120)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        source = pick(rng, scene.cluster.tier("api", "worker", "frontend"))
        target = pick(rng, [w for w in scene.cluster.tier("api", "database") if w is not source])
        plan.subjects.append((*source.subject, "outbound"))
        ports = distinct(rng, range(1, 10_001), 4_000)

        def scan(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns or not ports:
                return None
            pods, peers = source.alive(), target.alive()
            if pods and peers:
                port = ports.pop()
                if port in target.ports:
                    course = Course.ABORTED
                else:
                    course = Course.REFUSED if rng.random() < 0.5 else Course.DENIED_INGRESS
                scene.traffic.open(
                    now_ns, pods[0], peers[0], Protocol.TCP, port, course=course, exchanges=1
                )
            return now_ns + exponential_ns(rng, 0.5 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, scan)


class HostSweep(Scenario):
    """One pod tries one port (6379, 22 or 3389) on one pod address after another, 60 a minute,
    for 5 minutes: 60 % denied by egress policy, 25 % unanswered, 15 % refused."""

    name = "host-sweep"
    detectors = ("host-sweep",)
    minutes = 5.0
    unit = "addresses a minute (60)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        cluster = scene.cluster
        source = pick(rng, cluster.tier("api", "worker", "frontend"))
        port = pick(rng, (6379, 22, 3389))
        plan.subjects.append((*source.subject, "outbound"))

        def sweep(now_ns: int) -> int | None:
            if now_ns >= plan.end_ns:
                return None
            pods = source.alive()
            target = pick(rng, [w for w in cluster.workloads if w.pods and w is not source])
            if pods:
                chance = rng.random()
                course = Course.REFUSED
                if chance < 0.6:
                    course = Course.DENIED_EGRESS
                elif chance < 0.85:
                    course = Course.UNANSWERED
                scene.traffic.open(now_ns, pods[0], pick(rng, target.pods), Protocol.TCP, port,
                                   course=course, exchanges=2)  # fmt: skip
            return now_ns + exponential_ns(rng, 1.0 / max(0.01, plan.intensity))

        scene.traffic.at(plan.start_ns, sweep)
