"""Attackers who have a workload's own rights: what they do is allowed, and nearly all of it usual.

Each works by itself and without haste from one pod, as a stolen session, an implant or a script
does that must not be noticed. What differs is the mixture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hubblewatch.simulate.clock import MILLISECOND, SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.peers import Pod, World
from hubblewatch.simulate.randomness import between, exponential_ns, pick
from hubblewatch.simulate.scenarios.base import Plan, Scenario
from hubblewatch.simulate.service_graph import Edge
from hubblewatch.simulate.workloads import Workload

_GUESSED = ("auth", "vault", "admin", "backup", "postgres", "redis", "ldap", "jenkins", "registry",
            "gitlab", "minio", "billing", "secrets", "internal-api", "payments-db")  # fmt: skip
_DATA_TIERS = ("database", "cache", "queue", "api")


@dataclass(frozen=True)
class _Paths:
    """Where a workload goes in quiet times, by TCP: inside the cluster, and outside."""

    source: Workload
    inside: list[tuple[Edge, Workload]]
    outside: list[tuple[Edge, World]]


def _paths(plan: Plan) -> list[_Paths]:
    """Give the paths of each application workload that runs and calls at least two others."""
    found = []
    for source in plan.scene.cluster.tier("api", "worker", "frontend"):
        mine = [e for e in plan.scene.edges if e.source is source and e.protocol is Protocol.TCP]
        inside = [(e, e.destination) for e in mine if isinstance(e.destination, Workload)]
        outside = [(e, e.destination) for e in mine if isinstance(e.destination, World)]
        if source.alive() and inside:
            found.append(_Paths(source, inside, outside))
    several = [paths for paths in found if len(paths.inside) >= 2]
    return several or found


def _outward_paths(plan: Plan) -> list[_Paths]:
    """Give those that may call outside; with a cluster that has none, all."""
    found = _paths(plan)
    return [paths for paths in found if paths.outside] or found


def _repeat(plan: Plan, source: Workload, step: Callable[[int, Pod], None], rate: float) -> None:
    """Do a step about ``rate`` times a minute from the workload's first pod, at random times."""

    def act(now_ns: int) -> int | None:
        if now_ns >= plan.end_ns:
            return None
        pods = source.alive()
        if pods:
            step(now_ns, pods[0])
        return now_ns + exponential_ns(plan.rng, 60.0 / max(0.01, rate * plan.intensity))

    plan.scene.traffic.at(plan.start_ns + between(plan.rng, 0, 5_000) * MILLISECOND, act)


def _call(plan: Plan, now_ns: int, pod: Pod, edge: Edge, target: Workload, refused: float) -> None:
    """One short connection along a usual edge to one of its pods, sometimes turned away."""
    peers = target.alive()
    if not peers:
        return
    rng = plan.rng
    course = Course.REFUSED if rng.random() < refused else Course.NORMAL
    plan.scene.traffic.open(
        now_ns, pod, pick(rng, peers), Protocol.TCP, edge.port,
        course=course, lifetime_ns=between(rng, 20, 400) * MILLISECOND,
        exchanges=between(rng, 1, 3),
        service=(target.cluster_ip, target.namespace.name, target.name),
    )  # fmt: skip


class CredentialReuse(Scenario):
    """Credentials found in a pod are tried at all that its workload may reach, for 20 minutes: 8
    logins a minute go down the list of its usual peers, each as likely as the others and each pod
    of a peer as likely as the next, on their usual ports. Every second login looks the name up
    again, one in eight is refused. No contact is new."""

    name = "credential-reuse"
    detectors = ("isolation-forest",)
    minutes = 20.0
    unit = "logins a minute (8)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        paths = pick(rng, _paths(plan))
        plan.subjects.append((*paths.source.subject, "outbound"))

        def log_in(now_ns: int, pod: Pod) -> None:
            edge, target = pick(rng, paths.inside)
            if rng.random() < 0.5:
                now_ns = scene.lookup(now_ns, pod, target.fqdn, rng, address=target.cluster_ip)
            _call(plan, now_ns, pod, edge, target, refused=0.125)

        _repeat(plan, paths.source, log_in, 8.0)


class AllowedEgress(Scenario):
    """Data leaves by a destination that the workload may use anyway (a cloud's storage, a code
    host), for 20 minutes: 5 times a minute a script reads from one of the workload's usual data
    stores or services, then resolves the external name through the search list and sends. No
    contact is new, nothing is refused, nothing is regular."""

    name = "allowed-egress"
    detectors = ("isolation-forest",)
    minutes = 20.0
    unit = "readings with their sending a minute (5)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        paths = pick(rng, _outward_paths(plan))
        source = paths.source
        plan.subjects.append((*source.subject, "outbound"))
        stores = [path for path in paths.inside if path[1].tier in _DATA_TIERS] or paths.inside
        out = pick(rng, paths.outside) if paths.outside else None

        def carry(now_ns: int, pod: Pod) -> None:
            edge, target = pick(rng, stores)
            _call(plan, now_ns, pod, edge, target, refused=0.0)
            if out is None:
                return
            then_ns = scene.resolve(now_ns + SECOND, pod, f"{out[1].fqdn}.", rng, out[1].ip)
            scene.traffic.open(then_ns, pod, out[1], Protocol.TCP, out[0].port,
                               lifetime_ns=between(rng, 500, 9_000) * MILLISECOND,
                               exchanges=between(rng, 6, 20))  # fmt: skip

        _repeat(plan, source, carry, 5.0)


class QuietRecon(Scenario):
    """Somebody finds out from a pod what is there, by what is allowed, for 20 minutes: 6 times a
    minute a service's name is guessed at the cluster's DNS in one of the namespaces that the
    workload reaches (two of three do not exist), and 4 times a minute the health or metrics port
    of a usual peer's pod is tried, or its usual port; of the tries a quarter is refused."""

    name = "quiet-recon"
    detectors = ("isolation-forest", "new-edge")
    minutes = 20.0
    unit = "names (6) and tries (4) a minute"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        paths = pick(rng, _paths(plan))
        source = paths.source
        plan.subjects.append((*source.subject, "outbound"))
        near = sorted({target.namespace.name for _, target in paths.inside})

        def ask(now_ns: int, pod: Pod) -> None:
            exists = rng.random() < 1 / 3
            _, target = pick(rng, paths.inside)
            name = f"{pick(rng, _GUESSED)}.{pick(rng, near)}.svc.cluster.local."
            scene.lookup(now_ns, pod, target.fqdn if exists else name, rng,
                         rcode=0 if exists else 3, address=target.cluster_ip)  # fmt: skip

        def attempt(now_ns: int, pod: Pod) -> None:
            edge, target = pick(rng, paths.inside)
            peers = target.alive()
            if peers:
                port = pick(rng, (edge.port, edge.port, 9090, 8081))
                course = Course.REFUSED if rng.random() < 0.25 else Course.NORMAL
                scene.traffic.open(now_ns, pod, pick(rng, peers), Protocol.TCP, port,
                                   course=course)  # fmt: skip

        _repeat(plan, source, ask, 6.0)
        _repeat(plan, source, attempt, 4.0)


class HijackedPod(Scenario):
    """A workload's pods are put to other work (a miner that takes the processor) for 20 minutes:
    their own calls fall to 40 %, and behind a destination that is allowed already hides a pool: 4
    times a minute its name is resolved through the search list and a connection is opened by TCP,
    every third time by UDP on port 443 instead, a fifth of them without an answer."""

    name = "hijacked-pod"
    detectors = ("isolation-forest",)
    minutes = 20.0
    unit = "connections to the pool a minute (4)"

    def begin(self, plan: Plan) -> None:
        scene, rng = plan.scene, plan.rng
        paths = pick(rng, _outward_paths(plan))
        source = paths.source
        plan.subjects.append((*source.subject, "outbound"))
        mine = [edge for edge in scene.edges if edge.source is source]
        pool = pick(rng, paths.outside) if paths.outside else None

        def starve(_: int) -> None:
            for edge in mine:
                edge.rate *= 0.4

        def recover(_: int) -> None:
            for edge in mine:
                edge.rate /= 0.4

        def mine_on(now_ns: int, pod: Pod) -> None:
            if pool is None:
                return
            then_ns = scene.resolve(now_ns, pod, f"{pool[1].fqdn}.", rng, pool[1].ip)
            by_udp = rng.random() < 1 / 3
            silent = rng.random() < 0.2
            course = Course.NORMAL
            if silent:
                course = Course.ONE_WAY if by_udp else Course.UNANSWERED
            scene.traffic.open(
                then_ns, pod, pool[1], Protocol.UDP if by_udp else Protocol.TCP,
                443 if by_udp else pool[0].port, course=course,
                lifetime_ns=between(rng, 2, 40) * SECOND, exchanges=between(rng, 2, 12),
            )  # fmt: skip

        scene.traffic.once(plan.start_ns, starve)
        if plan.end_ns < scene.config.end_ns:
            scene.traffic.once(plan.end_ns, recover)
        _repeat(plan, source, mine_on, 4.0)
