"""What an edge's other end is: inside or outside the cluster, and to what whole it belongs."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from hubblewatch.flow.domain import registered_domain
from hubblewatch.window.closed import EdgeKey

METADATA = frozenset(
    {
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "metadata.google.internal",
        "metadata.goog",
    }
)
"""Where clouds hand out a machine's credentials: AWS, Azure, Google, Oracle and others by the
link-local address, AWS over IPv6, Alibaba, Google by name."""

APISERVER = "kube-apiserver"
NODE = "node"
"""How these two are named as peers (see ``attempt.peer``)."""


_KUBELET = 10_250


def split_edge(text: str) -> EdgeKey:
    """Give the edge of its text (``namespace/workload:port/protocol``)."""
    rest, _, protocol = text.rpartition("/")
    peer, _, port = rest.rpartition(":")
    namespace, _, workload = peer.rpartition("/")
    return EdgeKey(namespace, workload, int(port), protocol)


def is_metadata(edge: EdgeKey) -> bool:
    """Tell whether an edge leads to the cloud's metadata service."""
    return not edge.namespace and edge.workload.rstrip(".") in METADATA


def is_control(edge: EdgeKey) -> bool:
    """Tell whether an edge leads to what runs the cluster: the API server, or a node's kubelet."""
    if edge.namespace:
        return False
    return edge.workload == APISERVER or (edge.workload == NODE and edge.port == _KUBELET)


def is_outside(edge: EdgeKey) -> bool:
    """Tell whether an edge leads out: a name or address, which no reserved party's name can be.

    Not the metadata service and other link-local addresses: those are the machine itself.
    """
    if edge.namespace or is_metadata(edge):
        return False
    name = edge.workload
    return ("." in name or ":" in name) and not name.startswith(("169.254.", "fe80:"))


_NAT64 = IPv6Network("64:ff9b::/96")
"""The well-known prefix of RFC 6052."""


@lru_cache(maxsize=8_192)
def group_of(destination: str) -> str:
    """Give what a destination is part of: a registered domain, or a network (/24, /48).

    One service has many names under its domain, and neighbouring addresses. An address that stands
    for one of IPv4, as a cluster of IPv6 only sees it, belongs to that one's network.
    """
    try:
        address = ip_address(destination)
    except ValueError:
        return registered_domain(destination)
    if address in _NAT64:
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    elif isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, IPv4Address):
        return str(address).rpartition(".")[0] + ".0/24"
    return ":".join(address.exploded.split(":")[:3]) + "::/48"
