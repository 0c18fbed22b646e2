"""Namespaces, workloads, and the pods that their controllers start."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hubblewatch.simulate.peers import Node, Pod, compact
from hubblewatch.simulate.ports import EphemeralPorts
from hubblewatch.simulate.randomness import between, pick

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes draws name suffixes from these: no vowels, no look-alikes."""


def name_suffix(rng: Random, length: int) -> str:
    """A random part of a generated pod name."""
    return "".join(pick(rng, _SUFFIX_LETTERS) for _ in range(length))


def mac_address(rng: Random) -> str:
    """A locally administered unicast address."""
    octets = [between(rng, 0, 255) & 0xFE | 0x02, *(between(rng, 0, 255) for _ in range(5))]
    return ":".join(f"{octet:02x}" for octet in octets)


@dataclass(slots=True)
class Namespace:
    """A namespace; `enforced` means that policies apply to its pods, so verdicts are reported.

    `dns_visible` pods send DNS through the proxy.
    """

    name: str
    enforced: bool
    dns_visible: bool
    system: bool = False


@dataclass(slots=True)
class Workload:
    """A controller and its pods; `ports` are what it listens on, the service port first."""

    namespace: Namespace
    name: str
    kind: str
    tier: str
    replicas: int
    ports: tuple[int, ...]
    identity: int
    labels: list[str]
    cluster_ip: str
    template_hash: str
    pods: list[Pod] = field(default_factory=list)

    @property
    def subject(self) -> tuple[str, str]:
        """Namespace and workload name."""
        return (self.namespace.name, self.name)

    @property
    def policy(self) -> str:
        """Name of the policy that lets others in (and its own pods out)."""
        return f"allow-{self.name}"

    @property
    def fqdn(self) -> str:
        """DNS name of the service."""
        return f"{self.name}.{self.namespace.name}.svc.cluster.local."

    def alive(self) -> list[Pod]:
        """Pods that run now."""
        return [pod for pod in self.pods if pod.alive]


class PodFactory:
    """Starts pods: no name is given twice, no address while another pod holds it."""

    def __init__(self, cluster_name: str, nodes: list[Node]) -> None:
        self._cluster_name = cluster_name
        self._addresses = [30] * len(nodes)
        self._endpoint_ids = [100] * len(nodes)
        self._names: set[str] = set()
        self._held: set[str] = set()

    def start(
        self, workload: Workload, rng: Random, node: Node, ordinal: int, minute: int = 0
    ) -> Pod:
        """A running pod of `workload` on `node`, already among its pods."""
        ip = self._address(node, rng)
        endpoint_id = self._endpoint_ids[node.index]
        self._endpoint_ids[node.index] = endpoint_id + between(rng, 1, 9)
        interface = compact(
            {"index": endpoint_id % 900 + 12, "name": f"lxc{rng.getrandbits(48):012x}"}
        )
        pod = Pod(
            name=self._name(workload, rng, ordinal, minute),
            ip=ip,
            mac=mac_address(rng),
            node=node,
            ports=EphemeralPorts(between(rng, 0, 28_000)),
            namespace=workload.namespace.name,
            workload=workload.name,
            kind=workload.kind,
            identity=workload.identity,
            endpoint_id=endpoint_id,
            labels=workload.labels,
            cluster_name=self._cluster_name,
            interface=interface,
            policy=workload.policy if workload.namespace.enforced else "",
        )
        workload.pods.append(pod)
        return pod

    def stop(self, workload: Workload, pod: Pod, at_ns: int) -> None:
        """Ends a pod; whoever still talks to its address gets no answer."""
        pod.alive = False
        self._held.discard(pod.ip)
        pod.stopped_ns = min(pod.stopped_ns, at_ns)
        workload.pods.remove(pod)

    def _address(self, node: Node, rng: Random) -> str:
        prefix, third, _ = node.router_ip.rsplit(".", 2)
        while True:
            # The node's range is 16 blocks of 250; the lowest 30 addresses are its own.
            offset = self._addresses[node.index]
            self._addresses[node.index] = 30 + (offset - 30 + between(rng, 1, 3)) % 3_900
            ip = f"{prefix}.{int(third) + offset // 250}.{offset % 250 + 2}"
            if ip not in self._held:
                self._held.add(ip)
                return ip

    def _name(self, workload: Workload, rng: Random, ordinal: int, minute: int) -> str:
        if workload.kind == "StatefulSet":
            return f"{workload.name}-{ordinal}"
        while True:
            if workload.kind == "Deployment":
                name = f"{workload.name}-{workload.template_hash}-{name_suffix(rng, 5)}"
            elif workload.kind == "CronJob":
                name = f"{workload.name}-{minute}-{name_suffix(rng, 5)}"
            else:
                name = f"{workload.name}-{name_suffix(rng, 5)}"
            if name not in self._names:
                self._names.add(name)
                return name
