"""Who talks: pods, nodes, the world, and how a node's Hubble describes each of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hubblewatch.simulate.ports import EphemeralPorts


def compact(value: object) -> str:
    """`value` as JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


@dataclass(slots=True)
class Node:
    """A node of the cluster; `router_ip` is the address of its `cilium_host`."""

    index: int
    name: str
    ip: str
    router_ip: str
    health_ip: str
    router_mac: str
    down: bool = False


NEVER_NS = 1 << 62
"""Later than any recording."""


class Peer:
    """One end of a connection.

    `node` is None for what runs on no node of the cluster (the world). `namespace` and
    `workload` are empty unless the peer is a pod. `interface` is the pod's as JSON; without one
    the peer sits in a host's network. `policy` names the policy that lets the peer's traffic
    pass; empty where none is enforced, and then no verdicts are reported. From `stopped_ns` on
    the peer sends nothing.
    """

    __slots__ = (
        "interface",
        "ip",
        "mac",
        "namespace",
        "node",
        "policy",
        "ports",
        "stopped_ns",
        "workload",
    )

    def __init__(
        self,
        *,
        ip: str,
        mac: str,
        node: Node | None,
        ports: EphemeralPorts,
        namespace: str = "",
        workload: str = "",
        interface: str = "",
        policy: str = "",
    ) -> None:
        self.ip = ip
        self.mac = mac
        self.node = node
        self.ports = ports
        self.namespace = namespace
        self.workload = workload
        self.interface = interface
        self.policy = policy
        self.stopped_ns = NEVER_NS

    @property
    def is_pod(self) -> bool:
        """Whether the peer has a workload to be counted under."""
        return bool(self.namespace)

    def endpoint(self, observer: Node) -> str:
        """The peer as JSON, as Hubble on `observer` writes it."""
        raise NotImplementedError


class Pod(Peer):
    """A pod; its labels and identity are its workload's."""

    __slots__ = ("alive", "leg_endpoint", "local", "name", "remote")

    def __init__(
        self,
        *,
        name: str,
        ip: str,
        mac: str,
        node: Node,
        ports: EphemeralPorts,
        namespace: str,
        workload: str,
        kind: str,
        identity: int,
        endpoint_id: int,
        labels: list[str],
        cluster_name: str,
        interface: str,
        policy: str,
    ) -> None:
        super().__init__(
            ip=ip,
            mac=mac,
            node=node,
            ports=ports,
            namespace=namespace,
            workload=workload,
            interface=interface,
            policy=policy,
        )
        self.name = name
        self.alive = True
        common = (
            f'"identity":{identity},"cluster_name":{compact(cluster_name)},'
            f'"namespace":{compact(namespace)},"labels":{compact(labels)},'
            f'"pod_name":{compact(name)}'
        )
        workloads = compact([{"name": workload, "kind": kind}])
        self.local = f'{{"ID":{endpoint_id},{common},"workloads":{workloads}}}'
        self.remote = f"{{{common}}}"
        # The proxy speaks with the pod's identity but from the node's address, so Hubble knows
        # labels and no pod.
        self.leg_endpoint = f'{{"identity":{identity},"labels":{compact(labels)}}}'

    def endpoint(self, observer: Node) -> str:
        return self.local if observer is self.node else self.remote


_REMOTE_NODE = '{"identity":6,"labels":["reserved:remote-node"]}'
_HOST = '{"identity":1,"labels":["reserved:host"]}'
_APISERVER = '{"identity":7,"labels":["reserved:kube-apiserver","reserved:remote-node"]}'
_APISERVER_HOST = '{"identity":1,"labels":["reserved:host","reserved:kube-apiserver"]}'
_WORLD = '{"identity":2,"labels":["reserved:world"]}'


class Host(Peer):
    """A node itself: kubelet (from the router address) or a pod on the host network."""

    __slots__ = ()

    def endpoint(self, observer: Node) -> str:
        return _HOST if observer is self.node else _REMOTE_NODE


class ApiServer(Peer):
    """The Kubernetes API server, on the first node's own address."""

    __slots__ = ()

    def endpoint(self, observer: Node) -> str:
        return _APISERVER_HOST if observer is self.node else _APISERVER


class HealthEndpoint(Peer):
    """A node's `cilium-health` endpoint."""

    __slots__ = ("endpoint_id",)

    def __init__(self, *, node: Node, mac: str, ports: EphemeralPorts, endpoint_id: int) -> None:
        super().__init__(
            ip=node.health_ip,
            mac=mac,
            node=node,
            ports=ports,
            interface='{"index":10,"name":"lxc_health"}',
        )
        self.endpoint_id = endpoint_id

    def endpoint(self, observer: Node) -> str:
        prefix = f'"ID":{self.endpoint_id},' if observer is self.node else ""
        return f'{{{prefix}"identity":4,"labels":["reserved:health"]}}'


@dataclass(slots=True)
class Cidr:
    """How nodes know an external address that a policy names.

    Identities from 16777216 on are each node's own, so `first` differs by node.
    """

    number: int
    fqdn: str
    offsets: tuple[int, ...] = field(default=())


class World(Peer):
    """An address outside the cluster."""

    __slots__ = ("cidr", "fqdn", "_views")

    def __init__(self, *, ip: str, mac: str, ports: EphemeralPorts, cidr: Cidr | None) -> None:
        super().__init__(ip=ip, mac=mac, node=None, ports=ports)
        self.cidr = cidr
        self.fqdn = cidr.fqdn if cidr is not None else ""
        self._views: dict[int, str] = {}

    def endpoint(self, observer: Node) -> str:
        if self.cidr is None:
            return _WORLD
        view = self._views.get(observer.index)
        if view is None:
            offsets = self.cidr.offsets
            identity = 16_777_217 + self.cidr.number + offsets[observer.index % len(offsets)]
            labels = [f"cidr:{self.ip}/32"]
            if self.fqdn:
                labels.append(f"fqdn:{self.fqdn}.")
            labels.append("reserved:world")
            view = compact({"identity": identity, "labels": labels})
            self._views[observer.index] = view
        return view
