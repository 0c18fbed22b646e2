"""The quiet cluster: its services' calls, probes, jobs, and the noise that is always there."""

from __future__ import annotations

from random import Random

from hubblewatch.simulate.clock import MILLISECOND, MINUTE, SECOND
from hubblewatch.simulate.connections import Course, Protocol
from hubblewatch.simulate.names import MISSPELT_HOSTS
from hubblewatch.simulate.peers import Host, Pod
from hubblewatch.simulate.randomness import between, exponential_ns, pick
from hubblewatch.simulate.scene import Scene
from hubblewatch.simulate.service_graph import Edge
from hubblewatch.simulate.workloads import Workload

PROBE_PERIOD_NS = 30 * SECOND
HEALTH_PERIOD_NS = 60 * SECOND


def start_background(scene: Scene) -> None:
    """Puts all actors of the quiet cluster to work."""
    for edge in scene.edges:
        start_edge(scene, edge, scene.traffic.start_ns)
    _start_kubelets(scene)
    _start_health_checks(scene)
    _start_host_clients(scene)
    _start_apiserver_clients(scene)
    _start_noise(scene)
    for workload in scene.cluster.tier("job"):
        start_cron_job(scene, workload)


def start_edge(scene: Scene, edge: Edge, from_ns: int, until_ns: int | None = None) -> None:
    """Opens an edge's connections as a Poisson process that follows the day's cycle."""
    rng = scene.rng("edge", edge.key)
    cluster = scene.cluster
    traffic = scene.traffic

    def pause(now_ns: int) -> int:
        if edge.pooled and edge.source is not None:
            # About two connections a pod stand at any time, each for 2 to 10 minutes.
            return exponential_ns(rng, 180 / max(1, len(edge.source.pods)))
        return exponential_ns(rng, 1 / max(1e-6, edge.rate * scene.busyness(now_ns)))

    def call(now_ns: int) -> int | None:
        if until_ns is not None and now_ns >= until_ns:
            return None
        sources = cluster.visitors if edge.source is None else edge.source.alive()
        target = edge.destination
        destinations = target.pods if isinstance(target, Workload) else [target]
        if sources and destinations:
            source = pick(rng, sources)
            scene.call(now_ns, source, edge, rng, pick(rng, destinations))
        return now_ns + pause(now_ns)

    if edge.pooled and edge.source is not None:
        # Pools are filled before the recording starts; what they reopen is seen from its start.
        for pod in edge.source.alive():
            offset = int(rng.random() * 20 * SECOND)
            target = edge.destination
            assert isinstance(target, Workload)
            responder = pick(rng, target.pods) if target.pods else None

            def refill(now_ns: int, pod: Pod = pod, responder: Pod | None = responder) -> None:
                if pod.alive and responder is not None and responder.alive:
                    scene.call(now_ns, pod, edge, rng, responder)

            traffic.once(from_ns + offset, refill)
    traffic.at(from_ns + pause(from_ns), call)


def _start_kubelets(scene: Scene) -> None:
    cluster, traffic = scene.cluster, scene.traffic
    for kubelet in cluster.kubelets:
        rng = scene.rng("kubelet", kubelet.ip)

        def probe(now_ns: int, kubelet: Host = kubelet, rng: Random = rng) -> int:
            # Spread over the period as the pods' own start times spread them.
            for workload in cluster.workloads:
                if not workload.ports:
                    continue
                for pod in workload.pods:
                    if pod.node is kubelet.node and pod.alive:
                        traffic.open(
                            now_ns + int(rng.random() * PROBE_PERIOD_NS),
                            kubelet,
                            pod,
                            Protocol.TCP,
                            workload.ports[0],
                            lifetime_ns=2 * MILLISECOND,
                        )
            return now_ns + PROBE_PERIOD_NS

        traffic.at(traffic.start_ns, probe)


def _start_health_checks(scene: Scene) -> None:
    cluster, traffic = scene.cluster, scene.traffic
    rng = scene.rng("health")

    def check(now_ns: int) -> int:
        for prober in cluster.kubelets:
            for target in cluster.health:
                at_ns = now_ns + int(rng.random() * HEALTH_PERIOD_NS)
                traffic.open(at_ns, prober, target, Protocol.ICMP, 0, lifetime_ns=MILLISECOND)
                traffic.open(at_ns + 3 * MILLISECOND, prober, target, Protocol.TCP, 4240,
                             lifetime_ns=2 * MILLISECOND)  # fmt: skip
        return now_ns + HEALTH_PERIOD_NS

    traffic.at(traffic.start_ns, check)


def _start_host_clients(scene: Scene) -> None:
    """Pods on the host network (node-exporter and the like): no workload, only a node."""
    cluster, traffic = scene.cluster, scene.traffic
    rng = scene.rng("host-clients")
    # Where the proxy's own legs arrive, a node's client could not be told from them.
    proxied = [edge.destination for edge in scene.edges if edge.http_visible]
    targets = [w for w in cluster.tier("api", "ingress", "statsd") if w not in proxied]

    def call(now_ns: int) -> int:
        host = pick(rng, cluster.hosts)
        workload = pick(rng, targets)
        # A node's traffic to its own pods is a probe; clients are what reaches other nodes.
        remote = [pod for pod in workload.alive() if pod.node is not host.node]
        if remote:
            traffic.open(now_ns, host, pick(rng, remote), Protocol.TCP, workload.ports[0],
                         lifetime_ns=between(rng, 4, 40) * MILLISECOND)  # fmt: skip
        return now_ns + exponential_ns(rng, 4.0)

    traffic.at(traffic.start_ns + SECOND, call)


def _start_apiserver_clients(scene: Scene) -> None:
    cluster, traffic = scene.cluster, scene.traffic
    rng = scene.rng("apiserver-clients")
    clients = cluster.tier("system", "scraper", "ingress", "dns", "shipper")
    webhook = cluster.one("system")

    def call(now_ns: int) -> int:
        workload = pick(rng, clients)
        pods = workload.alive()
        if pods:
            traffic.open(now_ns, pick(rng, pods), cluster.apiserver, Protocol.TCP, 6443,
                         lifetime_ns=between(rng, 20, 3_000) * MILLISECOND,
                         exchanges=between(rng, 1, 4))  # fmt: skip
        if rng.random() < 0.2:
            remote = [pod for pod in webhook.alive() if pod.node is not cluster.apiserver.node]
            if remote:
                traffic.open(now_ns + MILLISECOND, cluster.apiserver, pick(rng, remote),
                             Protocol.TCP, 10250)  # fmt: skip
        return now_ns + exponential_ns(rng, 5.0)

    traffic.at(traffic.start_ns + SECOND, call)


def _start_noise(scene: Scene) -> None:
    """A denied attempt now and then, names that do not exist, pings, and odd drops."""
    cluster, traffic = scene.cluster, scene.traffic
    rng = scene.rng("noise")
    clients = cluster.tier("api", "worker", "frontend")

    def denied(now_ns: int) -> int:
        source, target = pick(rng, clients), pick(rng, clients)
        pods, peers = source.alive(), target.alive()
        if pods and peers and source is not target:
            course = Course.DENIED_EGRESS if rng.random() < 0.5 else Course.DENIED_INGRESS
            traffic.open(now_ns, pick(rng, pods), pick(rng, peers), Protocol.TCP,
                         pick(rng, (22, 9100, 8081, 5432)), course=course,
                         exchanges=between(rng, 1, 5),
                         deny_policy=pick(rng, ("", "", "deny-other-tiers")))  # fmt: skip
        return now_ns + exponential_ns(rng, 420.0)

    def misspelt(now_ns: int) -> int:
        pods = pick(rng, clients).alive()
        if pods:
            pod = pick(rng, pods)
            name = f"{pick(rng, MISSPELT_HOSTS)}.{pod.namespace}"
            for suffix in ("svc.cluster.local", "cluster.local"):
                now_ns = scene.lookup(now_ns, pod, f"{name}.{suffix}.", rng, rcode=3)
        return now_ns + exponential_ns(rng, 25.0)

    def ping(now_ns: int) -> int:
        source, target = pick(rng, clients), pick(rng, clients)
        pods, peers = source.alive(), target.alive()
        if pods and peers and source is not target:
            course = Course.DENIED_EGRESS if rng.random() < 0.3 else Course.NORMAL
            traffic.open(now_ns, pick(rng, pods), pick(rng, peers), Protocol.ICMP, 0,
                         course=course, exchanges=3, lifetime_ns=3 * SECOND)  # fmt: skip
        return now_ns + exponential_ns(rng, 150.0)

    def odd(now_ns: int) -> int:
        source, target = pick(rng, clients), pick(rng, clients)
        pods, peers = source.alive(), target.alive()
        if pods and peers and source is not target:
            pod, peer = pick(rng, pods), pick(rng, peers)
            if rng.random() < 0.5:
                traffic.open(now_ns, pod, peer, Protocol.TCP, target.ports[0],
                             course=Course.DROPPED, drop_reason=pick(rng, (151, 155)),
                             exchanges=between(rng, 1, 3))  # fmt: skip
            else:
                traffic.open(now_ns, pod, peer, Protocol.TCP, target.ports[0],
                             course=Course.AUDITED)  # fmt: skip
        return now_ns + exponential_ns(rng, 400.0)

    for mean_seconds, action in ((200, denied), (10, misspelt), (60, ping), (200, odd)):
        traffic.at(traffic.start_ns + exponential_ns(rng, mean_seconds), action)


def start_cron_job(scene: Scene, workload: Workload, period_ns: int = 5 * MINUTE) -> None:
    """Each period a pod runs for some seconds, reads from a database and reports to an API."""
    cluster, traffic = scene.cluster, scene.traffic
    rng = scene.rng("cron-job", *workload.subject)
    stores = cluster.tier("database")
    store, api = pick(rng, stores), pick(rng, cluster.tier("api"))
    edges = [
        Edge(workload, target, target.ports[0], Protocol.TCP, 0.0, key=f"job:{workload.name}")
        for target in (store, api)
    ]
    calls = between(rng, 8, 30)

    def run(now_ns: int) -> int:
        pod = scene.start_pod(workload, rng, pick(rng, scene.running_nodes()), now_ns)
        at_ns = now_ns + 2 * SECOND
        for _ in range(calls):
            at_ns += exponential_ns(rng, 1.2)
            edge = edges[0] if rng.random() < 0.7 else edges[1]

            def call(then_ns: int, edge: Edge = edge) -> None:
                target = edge.destination
                assert isinstance(target, Workload)
                if pod.alive and target.pods:
                    scene.call(then_ns, pod, edge, rng, pick(rng, target.pods))

            traffic.once(at_ns, call)

        def finish(_: int) -> None:
            scene.stop_pod(workload, pod, at_ns + 5 * SECOND)

        traffic.once(at_ns + 5 * SECOND, finish)
        return now_ns + period_ns

    traffic.at(traffic.start_ns + between(rng, 5, 280) * SECOND, run)
