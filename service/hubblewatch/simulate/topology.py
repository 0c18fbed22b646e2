"""A cluster drawn from a seed: nodes, namespaces, workloads, pods, and who is outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hubblewatch.simulate.names import APP_NAMESPACES, EXTERNAL_SERVICES, TIERS
from hubblewatch.simulate.peers import ApiServer, Cidr, HealthEndpoint, Host, Node, World
from hubblewatch.simulate.ports import EphemeralPorts
from hubblewatch.simulate.randomness import between, distinct, pick, stream
from hubblewatch.simulate.settings import SIZES, SimulationConfig
from hubblewatch.simulate.workloads import (
    Namespace,
    PodFactory,
    Workload,
    mac_address,
    name_suffix,
)

_VERSIONS = ("1.20.0", "1.20.1", "1.20.2")


@dataclass(slots=True)
class Cluster:
    """What the seed made; `overlay` tells tunnel from native routing."""

    name: str
    version: str
    overlay: bool
    day_amplitude: float
    rate: float
    nodes: list[Node]
    namespaces: list[Namespace]
    workloads: list[Workload]
    factory: PodFactory
    kubelets: list[Host]
    hosts: list[Host]
    health: list[HealthEndpoint]
    apiserver: ApiServer
    externals: list[tuple[World, int]]
    visitors: list[World]
    gateway_mac: str
    spare_identity: int = 60_000
    by_tier: dict[str, list[Workload]] = field(default_factory=dict)

    def tier(self, *tiers: str) -> list[Workload]:
        """Workloads of these tiers, in the order of their creation."""
        return [workload for workload in self.workloads if workload.tier in tiers]

    def one(self, tier: str) -> Workload:
        """The first workload of a tier that every cluster has."""
        return self.tier(tier)[0]

    def new_world(self, rng: Random, fqdn: str = "") -> World:
        """An external address nobody has used yet; a node-local CIDR identity if named."""
        number = len(self.externals) + between(rng, 40, 4_000)
        offsets = tuple(between(rng, 0, 30) for _ in self.nodes)
        cidr = Cidr(number, fqdn, offsets) if fqdn else None
        return World(
            ip=_public_address(rng),
            mac=self.gateway_mac,
            ports=EphemeralPorts(between(rng, 0, 28_000)),
            cidr=cidr,
        )

    def add_workload(
        self,
        rng: Random,
        namespace: Namespace,
        name: str,
        kind: str,
        tier: str,
        replicas: int,
        ports: tuple[int, ...],
    ) -> Workload:
        """A workload with running pods (none yet for a CronJob)."""
        workload = Workload(
            namespace=namespace,
            name=name,
            kind=kind,
            tier=tier,
            replicas=replicas,
            ports=ports,
            identity=self.spare_identity,
            labels=_labels(rng, self.name, namespace.name, name),
            cluster_ip=f"10.96.{between(rng, 0, 255)}.{between(rng, 1, 254)}",
            template_hash=name_suffix(rng, between(rng, 9, 10)),
        )
        self.spare_identity += between(rng, 1, 400) % 23 + 1
        self.workloads.append(workload)
        if kind == "DaemonSet":
            for node in self.nodes:
                self.factory.start(workload, rng, node, node.index)
        elif kind != "CronJob":
            first = between(rng, 0, len(self.nodes) - 1)
            for ordinal in range(replicas):
                node = self.nodes[(first + ordinal) % len(self.nodes)]
                self.factory.start(workload, rng, node, ordinal)
        return workload


def _labels(rng: Random, cluster: str, namespace: str, name: str) -> list[str]:
    # A real pod carries its own labels and those of its namespace; they are half of a line.
    labels = [
        f"k8s:app={name}",
        f"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name={namespace}",
        f"k8s:io.cilium.k8s.policy.cluster={cluster}",
        f"k8s:io.cilium.k8s.policy.serviceaccount={pick(rng, ('default', 'default', name))}",
        f"k8s:io.kubernetes.pod.namespace={namespace}",
    ]
    if rng.random() < 0.3:
        labels.append(f"k8s:version=v{between(rng, 1, 3)}")
    return labels


def _public_address(rng: Random) -> str:
    return (
        f"{pick(rng, (34, 52, 13, 104, 151, 185, 203))}.{between(rng, 1, 254)}."
        f"{between(rng, 0, 255)}.{between(rng, 1, 254)}"
    )


def _nodes(rng: Random, cluster_name: str, count: int) -> list[Node]:
    stem = pick(rng, ("worker", "node", "ip-172-18-0", "pool-a"))
    nodes = []
    for index in range(count):
        bare = f"{stem}-{index + 1}"
        nodes.append(
            Node(
                index=index,
                name=bare if cluster_name == "default" else f"{cluster_name}/{bare}",
                ip=f"172.18.0.{index + 2}",
                router_ip=f"10.{200 + index // 16}.{index % 16 * 16}.{between(rng, 2, 9)}",
                health_ip=f"10.{200 + index // 16}.{index % 16 * 16}.{between(rng, 10, 19)}",
                router_mac=mac_address(rng),
            )
        )
    return nodes


def build_cluster(config: SimulationConfig) -> Cluster:
    """The cluster of `config.seed`, the same whatever the scenarios or the observation."""
    rng = stream(config.seed, "topology")
    ranges = SIZES[config.size]
    node_count = between(rng, *ranges.nodes)
    namespace_count = between(rng, *ranges.namespaces)
    workload_count = between(rng, *ranges.workloads)
    rate = ranges.rate[0] + rng.random() * (ranges.rate[1] - ranges.rate[0])
    name = pick(rng, ("default", "prod-eu1", "staging", "prod-us2"))
    nodes = _nodes(rng, name, config.nodes or node_count)
    gateway_mac = mac_address(rng)

    def port_pool() -> EphemeralPorts:
        return EphemeralPorts(between(rng, 0, 28_000))

    cluster = Cluster(
        name=name,
        version=pick(rng, _VERSIONS),
        overlay=rng.random() < 0.7,
        day_amplitude=0.1 + 0.5 * rng.random(),
        rate=config.rate or rate,
        nodes=nodes,
        namespaces=[],
        workloads=[],
        factory=PodFactory(name, nodes),
        kubelets=[
            Host(ip=node.router_ip, mac=node.router_mac, node=node, ports=port_pool())
            for node in nodes
        ],
        hosts=[
            Host(ip=node.ip, mac=node.router_mac, node=node, ports=port_pool()) for node in nodes
        ],
        health=[
            HealthEndpoint(
                node=node, mac=mac_address(rng), ports=port_pool(), endpoint_id=between(rng, 20, 99)
            )
            for node in nodes
        ],
        apiserver=ApiServer(ip=nodes[0].ip, mac=gateway_mac, node=nodes[0], ports=port_pool()),
        externals=[],
        visitors=[],
        gateway_mac=gateway_mac,
        spare_identity=between(rng, 1_000, 30_000),
    )
    for fqdn, port in distinct(rng, EXTERNAL_SERVICES, between(rng, 5, 12)):
        cluster.externals.append((cluster.new_world(rng, fqdn), port))
    cluster.visitors.extend(cluster.new_world(rng) for _ in range(between(rng, 20, 60)))
    _system_namespaces(cluster, rng)
    _app_namespaces(cluster, rng, config.namespaces or namespace_count)
    _app_workloads(cluster, rng, config.workloads or workload_count)
    return cluster


def _system_namespaces(cluster: Cluster, rng: Random) -> None:
    def add(namespace: str, *, enforced: bool, dns_visible: bool) -> Namespace:
        made = Namespace(namespace, enforced, dns_visible, system=True)
        cluster.namespaces.append(made)
        return made

    kube = add("kube-system", enforced=False, dns_visible=False)
    cluster.add_workload(rng, kube, "coredns", "Deployment", "dns", 2, (53, 9153))
    cluster.add_workload(rng, kube, "metrics-server", "Deployment", "system", 1, (10250,))
    monitoring = add("monitoring", enforced=True, dns_visible=rng.random() < 0.5)
    cluster.add_workload(rng, monitoring, "prometheus", "StatefulSet", "scraper", 1, (9090,))
    cluster.add_workload(rng, monitoring, "statsd", "Deployment", "statsd", 1, (8125,))
    cluster.add_workload(rng, monitoring, "fluent-bit", "DaemonSet", "shipper", 1, (2020,))
    ingress = add("ingress-nginx", enforced=True, dns_visible=False)
    cluster.add_workload(rng, ingress, "ingress-nginx-controller", "Deployment", "ingress", 2,
                         (443, 80, 10254))  # fmt: skip


def _app_namespaces(cluster: Cluster, rng: Random, count: int) -> None:
    missing = max(1, count - len(cluster.namespaces))
    for name in distinct(rng, APP_NAMESPACES, missing):
        cluster.namespaces.append(
            Namespace(name, enforced=rng.random() < 0.75, dns_visible=rng.random() < 0.6)
        )


def _app_workloads(cluster: Cluster, rng: Random, count: int) -> None:
    apps = [namespace for namespace in cluster.namespaces if not namespace.system]
    taken: set[tuple[str, str]] = set()
    # Every cluster has each tier once, so that every scenario finds its actors.
    order = ["frontend", "api", "database", "api", "cache", "worker", "job"]
    shares = {"api": 9, "frontend": 4, "worker": 4, "database": 4, "cache": 2, "job": 3, "queue": 1}
    weights = [tier for tier, share in shares.items() for _ in range(share)]
    missing = max(len(order), count - len(cluster.workloads))
    for number in range(missing):
        tier = order[number] if number < len(order) else pick(rng, weights)
        namespace = apps[number % len(apps)] if number < 2 * len(apps) else pick(rng, apps)
        _, kind, ports = TIERS[tier]
        stem, port = _name_and_port(rng, tier, namespace, number, taken)
        taken.add((namespace.name, stem))
        if tier in ("database", "cache", "queue"):
            ports = (port,)
        replicas = 1 if kind == "CronJob" else between(rng, 1, 3 if kind == "StatefulSet" else 5)
        cluster.add_workload(rng, namespace, stem, kind, tier, replicas, ports)


def _name_and_port(
    rng: Random, tier: str, namespace: Namespace, number: int, taken: set[tuple[str, str]]
) -> tuple[str, int]:
    """A name not yet taken in the namespace, and the port that goes with it in a data tier."""
    bases, _, ports = TIERS[tier]
    prefixed = tier in ("frontend", "api", "worker", "job")
    for _ in range(40):
        chosen = between(rng, 0, len(bases) - 1)
        stem = f"{namespace.name.rstrip('s')}-{bases[chosen]}" if prefixed else bases[chosen]
        port = ports[chosen % len(ports)] if ports else 0
        if (namespace.name, stem) not in taken:
            return stem, port
    return f"{bases[0]}-v{number}", ports[0] if ports else 0
