"""Who usually talks to whom, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hubblewatch.simulate.connections import Protocol
from hubblewatch.simulate.peers import World
from hubblewatch.simulate.randomness import distinct, heavy_tailed, pick, stream
from hubblewatch.simulate.topology import Cluster
from hubblewatch.simulate.workloads import Workload


@dataclass(slots=True)
class Edge:
    """Traffic of one workload (or of visitors from outside, `source` None) to one destination.

    `rate` is connections a second of the whole workload. `pooled` connections live for minutes;
    `http_visible` ones go through the L7 proxy. `lookups` is the share preceded by a DNS lookup.
    """

    source: Workload | None
    destination: Workload | World
    port: int
    protocol: Protocol
    rate: float
    pooled: bool = False
    http_visible: bool = False
    lookups: float = 0.25
    key: str = ""


class _Graph:
    def __init__(self, cluster: Cluster, rng: Random) -> None:
        self.cluster = cluster
        self.rng = rng
        self.edges: list[Edge] = []
        self._known: set[tuple[str, str, int]] = set()

    def connect(
        self,
        source: Workload | None,
        destination: Workload | World,
        port: int,
        *,
        weight: float,
        protocol: Protocol = Protocol.TCP,
        pooled: bool = False,
        lookups: float = 0.25,
    ) -> None:
        name = "/".join(source.subject) if source is not None else "world"
        target = destination.ip if isinstance(destination, World) else "/".join(destination.subject)
        if (name, target, port) in self._known or name == target:
            return
        self._known.add((name, target, port))
        visible = (
            isinstance(destination, Workload)
            and source is not None
            and source.namespace.dns_visible
            and source.tier in ("frontend", "api")
            and not pooled
            and protocol is Protocol.TCP
            and self.rng.random() < 0.4
        )
        key = f"{name}>{target}:{port}/{protocol.name}"
        self.edges.append(
            Edge(source, destination, port, protocol, weight, pooled, visible, lookups, key)
        )


def build_service_graph(cluster: Cluster, seed: int) -> list[Edge]:
    """The edges of the quiet cluster, their rates summing up to about the cluster's own."""
    rng = stream(seed, "service-graph")
    graph = _Graph(cluster, rng)
    _ingress_edges(graph)
    _application_edges(graph)
    _outside_edges(graph)
    # Lookups come on top, about one for each two connections.
    budget = cluster.rate * 0.6
    total = sum(edge.rate for edge in graph.edges if not edge.pooled)
    for edge in graph.edges:
        if not edge.pooled:
            edge.rate *= budget / total
    _system_edges(graph)
    return graph.edges


def _ingress_edges(graph: _Graph) -> None:
    ingress = graph.cluster.one("ingress")
    graph.connect(None, ingress, 443, weight=6.0)
    for frontend in graph.cluster.tier("frontend"):
        graph.connect(ingress, frontend, frontend.ports[0], weight=2 * heavy_tailed(graph.rng),
                      lookups=0.0)  # fmt: skip


def _application_edges(graph: _Graph) -> None:
    rng, cluster = graph.rng, graph.cluster
    apis = cluster.tier("api")
    stores = cluster.tier("database")
    caches = cluster.tier("cache", "queue")

    def near(workload: Workload, among: list[Workload], count: int) -> list[Workload]:
        own = [other for other in among if other.namespace is workload.namespace]
        rest = [other for other in among if other.namespace is not workload.namespace]
        return [*distinct(rng, own, count), *distinct(rng, rest, count)][:count]

    for frontend in cluster.tier("frontend"):
        for api in near(frontend, apis, 1 + int(rng.random() * 4)):
            graph.connect(frontend, api, api.ports[0], weight=heavy_tailed(rng))
    for api in apis:
        for other in near(api, apis, int(rng.random() * 3)):
            graph.connect(api, other, pick(rng, other.ports), weight=0.7 * heavy_tailed(rng))
        for store in near(api, stores, 1):
            graph.connect(api, store, store.ports[0], weight=0.3, pooled=True)
        if rng.random() < 0.6:
            for cache in near(api, caches, 1):
                graph.connect(api, cache, cache.ports[0], weight=0.5 * heavy_tailed(rng),
                              pooled=rng.random() < 0.5)  # fmt: skip
    for worker in cluster.tier("worker"):
        for store in near(worker, stores + caches, 2):
            graph.connect(worker, store, store.ports[0], weight=0.4 * heavy_tailed(rng),
                          pooled=rng.random() < 0.4)  # fmt: skip
    statsd = cluster.one("statsd")
    for workload in cluster.tier("api", "worker", "frontend"):
        if rng.random() < 0.3:
            graph.connect(workload, statsd, 8125, weight=0.3 * heavy_tailed(rng),
                          protocol=Protocol.UDP, lookups=0.0)  # fmt: skip
    if rng.random() < 0.3 and len(apis) > 2:
        first, second = distinct(rng, apis, 2)
        graph.connect(first, second, 38412, weight=0.1, protocol=Protocol.SCTP, lookups=0.0)


def _outside_edges(graph: _Graph) -> None:
    rng, cluster = graph.rng, graph.cluster
    callers = cluster.tier("api", "worker")
    for external, port in cluster.externals:
        for caller in distinct(rng, callers, 1 + int(rng.random() * 2)):
            protocol = Protocol.UDP if port == 123 else Protocol.TCP
            graph.connect(caller, external, port, weight=0.25 * heavy_tailed(rng),
                          protocol=protocol, lookups=0.5)  # fmt: skip


def _system_edges(graph: _Graph) -> None:
    cluster = graph.cluster
    scraper = cluster.one("scraper")
    for workload in list(cluster.workloads):
        if workload.ports and workload is not scraper:
            port = workload.ports[-1] if workload.tier in ("dns", "ingress") else workload.ports[0]
            if workload.tier == "statsd":
                port = 9102
            graph.connect(scraper, workload, port, weight=len(workload.pods) / 60, lookups=0.0)
    for shipper in cluster.tier("shipper"):
        graph.connect(shipper, cluster.externals[0][0], cluster.externals[0][1],
                      weight=len(cluster.nodes) / 40, lookups=0.2)  # fmt: skip
