"""Who stands at an end of a connection: a workload's pod, or one of Cilium's reserved parties."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from hubblewatch.attempt.workload import workload_from_pod_name
from hubblewatch.flow.schema import Endpoint, Service

if TYPE_CHECKING:
    from hubblewatch.attempt.connection import Connection

_MAX_PEERS = 200_000
NAMED_FOR_WINDOWS = 7 * 24 * 60
"""A pod that had no connection for so long is gone, and its learned name with it: jobs' pods are
never seen again, and each would leave a record for ever."""

LOOK_EVERY_WINDOWS = 10
_decode_labels = msgspec.json.Decoder(list[str]).decode


class PeerKind(IntEnum):
    """Kinds of party; of two sightings of one address the higher one is the better informed.

    The same address shows with another identity at another vantage point (a node's own address is
    ``host`` at home, ``remote-node`` elsewhere, and carries a client's identity on a proxy's leg).
    """

    UNKNOWN = 0
    WORLD = 1
    SERVICE = 2
    """A service's own address, to which no identity belongs: to Cilium it is the world's."""
    UNMANAGED = 3
    INGRESS = 4
    HOST = 5
    REMOTE_NODE = 6
    KUBE_APISERVER = 7
    HEALTH = 8
    MARKED = 9
    """A pod's identity on an address that is no pod's: the proxy's own leg on the pod's behalf."""
    POD = 10


_BY_IDENTITY = {
    1: PeerKind.HOST,
    2: PeerKind.WORLD,
    3: PeerKind.UNMANAGED,
    4: PeerKind.HEALTH,
    5: PeerKind.UNMANAGED,
    6: PeerKind.REMOTE_NODE,
    7: PeerKind.KUBE_APISERVER,
    8: PeerKind.INGRESS,
    9: PeerKind.WORLD,
    10: PeerKind.WORLD,
}
_BY_LABEL = {
    "reserved:host": PeerKind.HOST,
    "reserved:unmanaged": PeerKind.UNMANAGED,
    "reserved:health": PeerKind.HEALTH,
    "reserved:init": PeerKind.UNMANAGED,
    "reserved:remote-node": PeerKind.REMOTE_NODE,
    "reserved:kube-apiserver": PeerKind.KUBE_APISERVER,
    "reserved:ingress": PeerKind.INGRESS,
}
_FIRST_CLUSTER_IDENTITY = 256
FIRST_NODE_LOCAL_IDENTITY = 1 << 24
"""From here on identities (CIDR, FQDN) differ on each node: never a key."""


class Peer:
    """One party. A pod is one object, by namespace and name: what is learned serves all."""

    __slots__ = ("cluster", "kind", "learned", "learned_at", "namespace", "pod", "workload")

    def __init__(
        self, kind: PeerKind, namespace: str, pod: str, cluster: str, workload: str
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.pod = pod
        self.cluster = cluster
        self.workload = workload
        self.learned = ""
        self.learned_at = 0

    def workload_at(self, second: int) -> str:
        """The workload as known from events before an epoch second.

        The reservation makes a window independent of the order in which lines arrived: a name
        learned from a later event does not change an earlier window in one order only.
        """
        return self.learned if self.learned and self.learned_at < second else self.workload


class Peers:
    """All parties seen, one object each; bounded: when full it starts anew, and loses no count."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], Peer] = {}
        self._reserved: dict[tuple[int, bytes], Peer] = {}
        self._learned: dict[tuple[str, str], Peer | None] = {}
        self._named: dict[Peer, int] = {}
        """Pods whose workload had to be learned, and the window that each was last seen in; -1 for
        not in one that has closed. As many as the cluster runs in a week: traffic makes no pods."""
        self._looked_at = -1

    def __len__(self) -> int:
        return len(self._pods) + len(self._reserved)

    def at(self, endpoint: Endpoint | None, service: Service | None) -> Peer:
        """Give the party of an endpoint whose address is that of ``service``, if of any.

        Of a service without a pod to answer nothing but its address is ever seen.
        """
        peer = self.of(endpoint)
        if service is None or not service.name or peer.kind > PeerKind.SERVICE:
            return peer
        key = (service.namespace, f"/{service.name}")
        found = self._pods.get(key)
        if found is None:
            made = Peer(PeerKind.SERVICE, service.namespace, "", peer.cluster, service.name)
            found = self._hold(key, made)
        return found

    def of(self, endpoint: Endpoint | None) -> Peer:
        """Give the party of an endpoint."""
        if endpoint is None:
            return _NOBODY
        if endpoint.pod_name:
            key = (endpoint.namespace, endpoint.pod_name)
            peer = self._pods.get(key)
            if peer is None:
                made = Peer(
                    PeerKind.POD,
                    endpoint.namespace,
                    endpoint.pod_name,
                    endpoint.cluster_name,
                    workload_from_pod_name(endpoint.pod_name),
                )
                peer = self._hold(key, made)
            return peer
        if endpoint.workloads and endpoint.namespace:
            return self._of_workload(endpoint)
        reserved = (endpoint.identity, bytes(endpoint.labels))
        peer = self._reserved.get(reserved)
        if peer is None:
            if len(self._reserved) >= _MAX_PEERS:
                self._reserved.clear()
            peer = self._reserved[reserved] = _unnamed(endpoint)
        return peer

    def _of_workload(self, endpoint: Endpoint) -> Peer:
        """A pod whose name a field mask left out; only the node that hosts it names workloads."""
        name = endpoint.workloads[0].name
        key = (endpoint.namespace, f"{name}/")
        peer = self._pods.get(key)
        if peer is None:
            cluster = endpoint.cluster_name
            peer = self._hold(key, Peer(PeerKind.POD, endpoint.namespace, "", cluster, name))
        return peer

    def _hold(self, key: tuple[str, str], peer: Peer) -> Peer:
        """Hold a pod or service under its key; a full table begins anew."""
        if len(self._pods) >= _MAX_PEERS:
            self._pods.clear()
        self._pods[key] = peer
        return peer

    def learn(self, endpoint: Endpoint, second: int) -> None:
        """Take the workload that the pod's own node names, as known from ``second`` on."""
        peer = self.of(endpoint)
        name = endpoint.workloads[0].name
        if peer.kind is not PeerKind.POD or not name:
            return
        if not peer.learned or (second, name) < (peer.learned_at, peer.learned):
            peer.learned = name
            peer.learned_at = second
            if name != peer.workload:
                self._learned[peer.namespace, peer.pod] = peer
                self._named.setdefault(peer, -1)

    def close(self, number: int, connections: Iterable[Connection]) -> None:
        """Note now and then who is there, and forget pods that are gone.

        ``connections`` are all that are open, however long ago they began; mostly not looked at.
        """
        named = self._named
        if not named or number < self._looked_at + LOOK_EVERY_WINDOWS:
            return
        # Who was not seen because nobody looked has until the next look to show up.
        gone_before = number - NAMED_FOR_WINDOWS
        if self._looked_at < 0:
            gone_before = -1
        self._looked_at = number
        there = {peer for one in connections for peer in (one.low, one.high)}
        for peer, last in list(named.items()):
            key = peer.namespace, peer.pod
            if peer in there or last < 0:
                named[peer] = number
                self._learned[key] = peer
            elif last < gone_before:
                del named[peer]
                if self._pods.get(key, peer) is peer:
                    # Else the table was full and began anew: another one stands for the pod.
                    self._pods.pop(key, None)
                    self._learned[key] = None

    def last_seen(self, peer: Peer) -> int:
        """Give the window that a pod with a learned name was last seen in; -1 if in none yet."""
        return self._named.get(peer, -1)

    def drain_learned(self) -> dict[tuple[str, str], Peer | None]:
        """Give the pods whose workload was learned since the last call, where the name misled, and
        those that are gone, as None."""
        learned, self._learned = self._learned, {}
        return learned

    def restore_name(
        self, namespace: str, pod: str, workload: str, second: int, last_seen: int
    ) -> None:
        """Know a pod's workload from before a restart."""
        peer = self.of(Endpoint(namespace=namespace, pod_name=pod))
        peer.learned, peer.learned_at = workload, second
        self._named[peer] = last_seen


def _unnamed(endpoint: Endpoint) -> Peer:
    kind = _BY_IDENTITY.get(endpoint.identity)
    labels = _labels(bytes(endpoint.labels))
    namespace = endpoint.namespace
    if kind is None or kind is PeerKind.WORLD:
        kind = kind or PeerKind.UNKNOWN
        for label in labels:
            if label.startswith("reserved:world"):
                # An API server outside the cluster has this label beside its own, which counts.
                kind = max(kind, PeerKind.WORLD) if not namespace else kind
            elif label in _BY_LABEL:
                kind = max(kind, _BY_LABEL[label])
        if kind is PeerKind.UNKNOWN:
            if endpoint.identity >= FIRST_NODE_LOCAL_IDENTITY:
                kind = PeerKind.WORLD
            elif endpoint.identity >= _FIRST_CLUSTER_IDENTITY or namespace or labels:
                kind = PeerKind.MARKED
    elif kind is PeerKind.REMOTE_NODE and "reserved:kube-apiserver" in labels:
        kind = PeerKind.KUBE_APISERVER
    name = _NAMES.get(kind) or _spelled(kind)
    if kind is PeerKind.HOST and "reserved:kube-apiserver" in labels:
        # Still the host, whose kubelet is no client; by name it is what other nodes take it for.
        name = _spelled(PeerKind.KUBE_APISERVER)
    return Peer(kind, namespace, "", endpoint.cluster_name, name)


_NAMES = {PeerKind.HOST: "node", PeerKind.REMOTE_NODE: "node"}
"""A node is ``host`` to itself, ``remote-node`` to others: one name, wherever it was recorded."""


def _spelled(kind: PeerKind) -> str:
    return kind.name.lower().replace("_", "-")


def _labels(raw: bytes) -> list[str]:
    if not raw:
        return []
    try:
        return _decode_labels(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []  # labels of an unknown shape name nobody; the flow itself still counts


_NOBODY = Peer(PeerKind.UNKNOWN, "", "", "", "unknown")
