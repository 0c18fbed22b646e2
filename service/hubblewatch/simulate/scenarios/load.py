"""More traffic than before, for good reasons."""

from __future__ import annotations

from hubblewatch.simulate.clock import MINUTE, SECOND
from hubblewatch.simulate.connections import Protocol
from hubblewatch.simulate.randomness import exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.scene import Wave
from hubblewatch.simulate.service_graph import Edge


class BatchPeak(Scenario):
    """A scheduled job has twenty times its usual work: for 4 minutes its pod opens 6 connections
    a second to the database and the API it always uses, a DNS lookup before each second one."""

    name = "batch-peak"
    kind = "disturbance"
    minutes = 4.0
    unit = "connections a second (6)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        cluster = scene.cluster
        job = pick(rng, cluster.tier("job"))
        plan.subjects.append((*job.subject, "outbound"))
        # The job draws its usual targets first from its own stream: draw them again from it.
        usual = scene.rng("cron-job", *job.subject)
        targets = (pick(usual, cluster.tier("database")), pick(usual, cluster.tier("api")))
        edges = [
            Edge(job, target, target.ports[0], Protocol.TCP, 0.0, lookups=0.5, key="batch-peak")
            for target in targets
        ]

        def start(now_ns: int) -> None:
            pod = scene.start_pod(job, rng, pick(rng, scene.running_nodes()), now_ns)

            def work(then_ns: int) -> int | None:
                if then_ns >= plan.end_ns:
                    scene.stop_pod(job, pod, then_ns)
                    return None
                number = 0 if rng.random() < 0.7 else 1
                peers = targets[number].alive()
                if peers:
                    scene.call(then_ns, pod, edges[number], rng, pick(rng, peers))
                return then_ns + exponential_ns(rng, 1 / (6 * max(0.01, plan.intensity)))

            scene.traffic.at(now_ns + 2 * SECOND, work)

        scene.traffic.once(plan.start_ns, start)


class DayCycle(Scenario):
    """A day passes in two hours: all rates rise to 1.7 times and fall to 0.3 times the usual, as
    a sine that begins at the usual."""

    name = "day-cycle"
    kind = "disturbance"
    unit = "amplitude (0.7, at most 0.95)"

    def begin(self, plan: Plan) -> None:
        amplitude = min(0.95, 0.7 * plan.intensity)
        plan.scene.waves.append(Wave(plan.start_ns, plan.end_ns, amplitude, 120 * MINUTE))
