"""The cluster in motion: what background traffic and scenarios share and may change."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from hubblewatch.simulate.clock import MILLISECOND, MINUTE, SECOND
from hubblewatch.simulate.connections import Course, DnsQuestion, HttpExchange, Protocol
from hubblewatch.simulate.names import URL_PATHS
from hubblewatch.simulate.peers import Node, Peer, Pod, World
from hubblewatch.simulate.randomness import between, pick, stream
from hubblewatch.simulate.service_graph import Edge
from hubblewatch.simulate.settings import SimulationConfig
from hubblewatch.simulate.topology import Cluster
from hubblewatch.simulate.traffic import Traffic
from hubblewatch.simulate.workloads import Workload

DAY_NS = 24 * 60 * MINUTE


@dataclass(slots=True)
class EdgeFault:
    """What a scenario does to an edge: `share` of its connections take one of other courses."""

    courses: tuple[Course, ...]
    share: float = 1.0
    policy: str = ""


@dataclass(slots=True, frozen=True)
class Wave:
    """A sine on all edges' rates between two times, beginning at factor 1."""

    start_ns: int
    end_ns: int
    amplitude: float
    period_ns: int

    def factor(self, now_ns: int) -> float:
        """The factor at a time; 1 outside the wave."""
        if not self.start_ns <= now_ns < self.end_ns:
            return 1.0
        phase = (now_ns - self.start_ns) / self.period_ns
        return 1.0 + self.amplitude * math.sin(2 * math.pi * phase)


@dataclass(slots=True)
class Scene:
    """Everything a part of the simulation may touch.

    `faults` are by edge key. `day_amplitude` shapes the day's cycle, `waves` come on top.
    """

    config: SimulationConfig
    cluster: Cluster
    edges: list[Edge]
    traffic: Traffic
    day_amplitude: float
    faults: dict[str, EdgeFault] = field(default_factory=dict)
    waves: list[Wave] = field(default_factory=list)

    def rng(self, *purpose: str | int) -> Random:
        """A random stream of `purpose` under the recording's seed."""
        return stream(self.config.seed, *purpose)

    def busyness(self, now_ns: int) -> float:
        """The day's cycle as a factor around 1, lowest at 03:00 UTC when a period is a day."""
        phase = (now_ns - 3 * 60 * MINUTE) % DAY_NS / DAY_NS
        factor = 1.0 - self.day_amplitude * math.cos(2 * math.pi * phase)
        for wave in self.waves:
            factor *= wave.factor(now_ns)
        return factor

    def lookup(
        self,
        now_ns: int,
        pod: Pod,
        name: str,
        rng: Random,
        *,
        address: str = "",
        rcode: int = 0,
    ) -> int:
        """Asks one coredns pod for A and AAAA of `name`; gives the time of the answer."""
        servers = self.cluster.one("dns").alive()
        if not servers or not pod.alive:
            return now_ns
        visible = self._dns_visible(pod)
        round_trip_ns = int((0.6 + 2.4 * rng.random()) * MILLISECOND)
        self.traffic.open(
            now_ns,
            pod,
            pick(rng, servers),
            Protocol.UDP,
            53,
            lifetime_ns=round_trip_ns,
            exchanges=2,
            proxied=visible,
            dns=DnsQuestion(name, rcode, address) if visible else None,
            service=("10.96.0.10", "kube-system", "kube-dns"),
            socket_traced=rng.random() < 0.01,
        )
        return now_ns + 2 * round_trip_ns

    def resolve(self, now_ns: int, pod: Pod, fqdn: str, rng: Random, address: str) -> int:
        """Resolves as a pod with `ndots:5` does: an outside name runs through the search list."""
        if fqdn.endswith(".svc.cluster.local."):
            return self.lookup(now_ns, pod, fqdn, rng, address=address)
        name = fqdn.rstrip(".")
        for suffix in (f"{pod.namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"):
            now_ns = self.lookup(now_ns, pod, f"{name}.{suffix}.", rng, rcode=3)
        return self.lookup(now_ns, pod, f"{name}.", rng, address=address)

    def call(
        self,
        now_ns: int,
        source: Peer,
        edge: Edge,
        rng: Random,
        destination: Peer,
        lookups: float | None = None,
    ) -> None:
        """One connection over an edge, with the lookup that may go before it."""
        target = edge.destination
        inside = isinstance(target, Workload)
        fqdn = target.fqdn
        address = target.cluster_ip if isinstance(target, Workload) else target.ip
        share = edge.lookups if lookups is None else lookups
        if isinstance(source, Pod) and fqdn and rng.random() < share:
            now_ns = self.resolve(now_ns, source, fqdn, rng, address)
        course, exchanges, policy = Course.NORMAL, 1, ""
        lifetime_ns = int((3 + 60 * rng.random() ** 2) * MILLISECOND)
        fault = self.faults.get(edge.key)
        trouble = rng.random()
        if fault is not None and rng.random() < fault.share:
            course, policy = pick(rng, fault.courses), fault.policy
            exchanges = between(rng, 2, 4)
        elif edge.pooled:
            lifetime_ns = int((120 + 480 * rng.random()) * SECOND)
            exchanges = max(2, lifetime_ns // int((0.8 + 2.5 * rng.random()) * SECOND))
        elif edge.protocol is Protocol.UDP:
            course = Course.ONE_WAY if edge.port == 8125 else Course.NORMAL
        elif trouble < 0.0008:
            course = Course.REFUSED
        elif trouble < 0.0012:
            course, exchanges = Course.UNANSWERED, between(rng, 2, 4)
        elif trouble < 0.003:
            course = Course.ABORTED
        elif edge.http_visible and trouble < 0.006:
            course = Course.DENIED_L7
        elif rng.random() < 0.15:
            exchanges = between(rng, 2, 6)
            lifetime_ns *= exchanges
        proxied = edge.http_visible and course in (Course.NORMAL, Course.DENIED_L7)
        http = None
        if proxied:
            code = 403 if course is Course.DENIED_L7 else pick(rng, (200,) * 30 + (404, 500, 503))
            exchanges = 1 if course is Course.DENIED_L7 else exchanges
            path = pick(rng, URL_PATHS)
            http = HttpExchange(
                pick(rng, ("GET", "GET", "GET", "POST", "PUT")),
                f"http://{fqdn.split('.svc')[0]}:{edge.port}{path}",
                code,
            )
        self.traffic.open(
            now_ns,
            source,
            destination,
            edge.protocol,
            edge.port,
            course=course,
            lifetime_ns=lifetime_ns,
            exchanges=exchanges,
            proxied=proxied,
            http=http,
            deny_policy=policy,
            service=(address, target.namespace.name, target.name)
            if isinstance(target, Workload)
            else None,
            socket_traced=inside and isinstance(source, Pod) and rng.random() < 0.01,
            names=self._names(source, destination),
        )

    def running_nodes(self) -> list[Node]:
        """Nodes that are up."""
        return [node for node in self.cluster.nodes if not node.down]

    def start_pod(self, workload: Workload, rng: Random, node: Node, now_ns: int) -> Pod:
        """A new pod of a workload, on `node`."""
        used = {pod.name for pod in workload.pods}
        ordinal = 0
        while f"{workload.name}-{ordinal}" in used:
            ordinal += 1
        return self.cluster.factory.start(workload, rng, node, ordinal, now_ns // MINUTE)

    def stop_pod(self, workload: Workload, pod: Pod, now_ns: int) -> None:
        """Ends a pod, if it has not ended."""
        if pod in workload.pods:
            self.cluster.factory.stop(workload, pod, now_ns)

    def _dns_visible(self, pod: Pod) -> bool:
        return any(
            namespace.name == pod.namespace and namespace.dns_visible
            for namespace in self.cluster.namespaces
        )

    def _names(self, source: Peer, destination: Peer) -> tuple[str, ...]:
        if isinstance(destination, World) and isinstance(source, Pod) and self._dns_visible(source):
            return (destination.fqdn,) if destination.fqdn else ()
        return ()
