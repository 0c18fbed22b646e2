"""Proxy legs, probes, health checks and socket events are nobody's attempts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import SOCKET, behind_proxy, flow, health, host, pod
from tests.connections import datagrams, ping, tcp
from tests.proxying import dns, proxied
from tests.refusals import denied
from tests.running import only, run, windows

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
DB = pod("data/db-0", node="node-b", kind="StatefulSet")


def test_a_probe_of_the_kubelet_is_no_attempt() -> None:
    assert windows(tcp(host("node-a"), CART)) == []


def test_a_probe_of_the_kubelet_on_the_api_servers_node_is_no_attempt() -> None:
    lines = [
        line.replace(b'["reserved:host"]', b'["reserved:host","reserved:kube-apiserver"]')
        for line in tcp(host("node-a"), pod(node="node-a"))
    ]
    assert any(b"kube-apiserver" in line for line in lines)
    assert not windows(lines)


def test_a_node_that_reaches_a_pod_elsewhere_is_a_client() -> None:
    """Pods on the host network have only the identity of their node."""
    window = only(tcp(host("node-b"), CART))
    assert (window.workload, window.direction, window.attempts) == ("cart", "inbound", 1)


@pytest.mark.parametrize("node", ["node-a", "node-b"])
def test_a_node_client_is_one_wherever_it_was_recorded(node: str) -> None:
    lines = tcp(host("node-b"), CART)
    assert windows(tcp(host("node-b"), CART, seen_from=[node])) == windows(lines)


@pytest.mark.parametrize(
    "lines",
    [
        tcp(host("node-b"), health("node-a"), port=4240),
        tcp(health("node-a"), host("node-b"), port=4240),
        tcp(CART, health("node-a"), port=4240),
        ping(host("node-a"), health("node-a")),
    ],
)
def test_health_checks_are_no_attempts(lines: list[bytes]) -> None:
    assert windows(lines) == []


@pytest.mark.parametrize("verdict", ["TRACED", "TRANSLATED"])
@pytest.mark.parametrize("kind", [SOCKET, None])
def test_socket_events_are_no_attempts(verdict: str, kind: int | None) -> None:
    event = flow(CART, DB, kind=kind, verdict=verdict, ports=(0, 5_432))
    found = run([event])
    assert found.windows == []
    assert found.pipeline.counts.uncounted == {"socket": 1}


def test_socket_events_change_no_window() -> None:
    event = flow(CART, DB, kind=SOCKET, verdict="TRANSLATED", ports=(0, 5_432))
    assert windows([event, *tcp(CART, DB)]) == windows(tcp(CART, DB))


@pytest.mark.parametrize(
    "leg",
    [
        host("node-a", "10.0.0.148"),
        behind_proxy(CART, "node-a"),
    ],
    ids=["host", "the pod's identity"],
)
@pytest.mark.parametrize("server", [DB, pod("data/db-0", node="node-a")], ids=["remote", "local"])
def test_the_proxys_leg_adds_no_client_to_the_responder(leg: Any, server: Any) -> None:
    found = windows(proxied(CART, server, leg=leg))
    assert [(w.namespace, w.workload, w.direction, w.attempts) for w in found] == [
        ("shop", "cart", "outbound", 1)
    ]


def test_the_proxys_leg_over_the_windows_end_adds_no_client() -> None:
    lines = proxied(CART, DB, at=59.9995, leg=host("node-a"))
    assert sum(window.attempts for window in windows(lines)) == 1


def test_the_dns_proxys_legs_add_no_clients() -> None:
    found = windows(dns())
    assert [(w.workload, w.attempts, w.udp) for w in found] == [("cart", 1, 1)]


def test_a_node_may_reach_a_responder_that_no_proxy_leads_to() -> None:
    other = pod("data/cache-0", node="node-b")
    lines = proxied(CART, DB, leg=host("node-a")) + tcp(host("node-a"), other)
    assert [(w.workload, w.direction) for w in windows(lines)] == [
        ("cache", "inbound"),
        ("cart", "outbound"),
    ]


def test_what_a_policy_denies_to_a_node_is_an_attempt() -> None:
    window = only(denied(host("node-b"), CART, ingress=True))
    assert (window.direction, window.denied) == ("inbound", 1)


def test_traffic_between_nodes_is_nobodys() -> None:
    assert windows(tcp(host("node-a"), host("node-b"))) == []


def test_flows_without_addresses_are_counted_as_such() -> None:
    found = run([b'{"flow":{"time":"2026-03-02T08:00:00Z","verdict":"FORWARDED"}}'])
    assert found.windows == []
    assert found.pipeline.counts.uncounted == {"no-address": 1}


def test_other_protocols_are_counted_as_such() -> None:
    found = run([flow(CART, DB, protocol="VRRP")])
    assert found.windows == []
    assert found.pipeline.counts.uncounted == {"other-protocol": 1}


def test_an_icmp_error_is_the_senders_failure_and_no_ping() -> None:
    router = host("node-b")
    error = flow(router, CART, protocol="ICMPv4", ports=(3, 0), node="node-a", point="TO_ENDPOINT")
    window = only([error, *datagrams(CART, DB, answers=0)])
    assert (window.workload, window.icmp, window.unreachable) == ("cart", 0, 1)


def test_denied_pings_do_not_count_as_denied_attempts() -> None:
    lines = denied(CART, DB, protocol="ICMPv4", from_port=8, port=0)
    window = only(lines)
    assert (window.attempts, window.denied, window.icmp, window.icmp_denied) == (0, 0, 1, 1)
