"""Hubble lines as bytes; all that a connection leaves behind is in ``connections``.

Times are seconds after ``START``, which begins a window. What a line says follows what Cilium's
agents write: an endpoint has its ``ID`` and its workload only where the reporting node hosts it, a
node sees itself as ``host`` and others as ``remote-node``.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hubblewatch.attempt.workload import workload_from_pod_name

START = int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp())
"""Epoch seconds of time 0; a multiple of 60."""

DROP, TRACE, VERDICT, SOCKET, L7 = 1, 4, 5, 7, 129

OBSERVATION_SUBTYPES = {
    "TO_ENDPOINT": 0,
    "TO_PROXY": 1,
    "TO_HOST": 2,
    "TO_STACK": 3,
    "TO_OVERLAY": 4,
    "FROM_ENDPOINT": 5,
    "TO_NETWORK": 11,
}


@dataclass(frozen=True)
class Party:
    """One end of a connection, as every node may describe it."""

    address: str
    identity: int
    namespace: str = ""
    pod: str = ""
    workload: str = ""
    kind: str = "Deployment"
    node: str = ""
    labels: tuple[str, ...] = ()

    def endpoint(self, seen_from: str) -> dict[str, Any]:
        """The party as the agent of node ``seen_from`` writes it."""
        if self.identity == 1:
            local = self.node == seen_from
            return {
                "identity": 1 if local else 6,
                "labels": ["reserved:host" if local else "reserved:remote-node"],
            }
        found: dict[str, Any] = {"identity": self.identity} if self.identity else {}
        if self.pod:
            found |= {"namespace": self.namespace, "pod_name": self.pod, "cluster_name": "default"}
        if self.labels:
            found["labels"] = list(self.labels)
        if self.pod and self.node == seen_from:
            found["ID"] = 100 + zlib.crc32(self.pod.encode()) % 3_000
            if self.workload:
                found["workloads"] = [{"name": self.workload, "kind": self.kind}]
        return found


def pod(
    name: str = "shop/cart-7d9f8c6b5-x2x7z",
    node: str = "node-a",
    workload: str | None = None,
    kind: str = "Deployment",
    address: str = "",
) -> Party:
    """A pod by ``namespace/name``; its own node knows the workload, by default that of the name.

    ``workload=""`` is a pod without controller.
    """
    namespace, _, pod_name = name.partition("/")
    number = zlib.crc32(name.encode())
    if workload is None:
        workload = workload_from_pod_name(pod_name)
    return Party(
        address or f"10.{number % 200}.{number // 200 % 250}.{number // 50_000 % 250}",
        1_000 + zlib.crc32(f"{namespace}/{workload or pod_name}".encode()) % 60_000,
        namespace,
        pod_name,
        workload,
        kind,
        node,
        (f"k8s:app={workload or pod_name}", f"k8s:io.kubernetes.pod.namespace={namespace}"),
    )


def world(address: str = "203.0.113.9", identity: int = 2) -> Party:
    """An address outside the cluster."""
    return Party(address, identity, labels=("reserved:world",))


def host(node: str = "node-a", address: str = "") -> Party:
    """A node itself: kubelet, the proxy, pods on the host network."""
    number = zlib.crc32(node.encode())
    return Party(address or f"172.18.0.{number % 250 + 1}", 1, node=node)


def health(node: str = "node-a") -> Party:
    """A node's cilium-health endpoint."""
    number = zlib.crc32(f"health {node}".encode())
    return Party(f"10.250.0.{number % 250 + 1}", 4, node=node, labels=("reserved:health",))


def apiserver(address: str = "172.18.0.250") -> Party:
    """The Kubernetes API server, seen from a node that does not host it."""
    return Party(address, 7, labels=("reserved:kube-apiserver", "reserved:remote-node"))


def behind_proxy(client: Party, node: str, address: str = "10.0.0.148") -> Party:
    """The proxy that speaks for a pod: the pod's identity on the node's router address."""
    return Party(address, client.identity, node=node, labels=client.labels)


def rfc3339(at: float, digits: int = 9) -> str:
    """The time ``at`` seconds after START in Hubble's form."""
    micros = round(at * 1_000_000)
    moment = datetime.fromtimestamp(START + micros // 1_000_000, UTC)
    fraction = f"{micros % 1_000_000:06d}000"[:digits]
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if digits else "") + "Z"


def line(member: str, content: dict[str, Any], at: float, node: str = "node-a") -> bytes:
    """A ``GetFlowsResponse`` as one line of JSON."""
    return _bytes({member: content, "node_name": node, "time": rfc3339(at)})


def flow_dict(
    source: Party | None = None,
    destination: Party | None = None,
    at: float = 0.0,
    *,
    kind: int | None = TRACE,
    protocol: str = "TCP",
    ports: tuple[int, int] = (41_000, 8_080),
    flags: str = "",
    verdict: str | int = "FORWARDED",
    point: str | int = "",
    is_reply: bool | None = None,
    node: str = "",
    **others: Any,
) -> dict[str, Any]:
    """The ``flow`` member; ``flags`` as in ``"SYN ACK"``, ``others`` are further members."""
    source = source or pod()
    destination = destination or pod("shop/db-0", node=source.node)
    node = node or source.node or destination.node
    layer4: dict[str, Any] = {"source_port": ports[0], "destination_port": ports[1]}
    if flags:
        layer4["flags"] = dict.fromkeys(flags.split(), True)
    if protocol.startswith("ICMP"):
        layer4 = {"type": ports[0]} if ports[0] else {}
    found: dict[str, Any] = {
        "time": rfc3339(at),
        "verdict": verdict,
        "IP": {"source": source.address, "destination": destination.address, "ipVersion": "IPv4"},
        "l4": {protocol: layer4},
        "source": source.endpoint(node),
        "destination": destination.endpoint(node),
        "Type": "L7" if kind == L7 else "SOCK" if kind == SOCKET else "L3_L4",
        "node_name": node,
    }
    if kind is not None:
        found["event_type"] = {"type": kind}
        if isinstance(point, str) and OBSERVATION_SUBTYPES.get(point):
            found["event_type"]["sub_type"] = OBSERVATION_SUBTYPES[point]
    if point:
        found["trace_observation_point"] = point
    if is_reply is not None:
        found["is_reply"] = is_reply
    found |= others
    found.setdefault("uuid", _uuid(found))
    return found


def flow(
    source: Party | None = None, destination: Party | None = None, *, at: float = 0.0, **what: Any
) -> bytes:
    """One flow event as a line; see ``flow_dict``."""
    found = flow_dict(source, destination, at, **what)
    return line("flow", found, at, found["node_name"])


def as_service(answer: bytes, address: str, port: int) -> bytes:
    """An answer as the client gets it where the agent translates services packet by packet.

    Hubble writes the responder's address as the source all the same, but the packet's port.
    """
    content = json.loads(answer)
    found = content["flow"]
    found["IP"]["source_xlated"] = address
    next(iter(found["l4"].values()))["source_port"] = port
    return _bytes(content)


def lost(
    at: float, count: int = 1, source: str = "HUBBLE_RING_BUFFER", node: str = "node-a"
) -> bytes:
    """A lost_events line: 64-bit integers are strings."""
    return line("lost_events", {"source": source, "num_events_lost": str(count)}, at, node)


def node_status(at: float, state: str | int, *names: str) -> bytes:
    """Relay's word on nodes."""
    return line("node_status", {"state_change": state, "node_names": list(names)}, at, "relay")


def heartbeat(
    sequence: int, watermark: float, exporter: str = "exporter-0", at: float | None = None
) -> bytes:
    """An exporter's promise that nothing older than ``watermark`` follows."""
    content = {"exporter": exporter, "sequence": sequence, "watermark": rfc3339(watermark)}
    return _bytes({"heartbeat": content, "time": rfc3339(watermark if at is None else at)})


def _bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _uuid(content: dict[str, Any]) -> str:
    number = zlib.crc32(_bytes(content))
    return f"{number:08x}-0000-4000-8000-{zlib.adler32(_bytes(content)):012x}"
