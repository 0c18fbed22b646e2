"""However many events, nodes and repetitions show a connection, it is one attempt."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.builders import Party, apiserver, host, pod, world
from tests.connections import datagrams, ping, tcp, through_service
from tests.proxying import dns, proxied
from tests.refusals import audited, denied, dropped, refused, unanswered
from tests.running import only, windows

from hubblewatch.window.closed import WindowRecord

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
DB = pod("data/db-0", node="node-b", kind="StatefulSet")

OUTCOMES = ("allowed", "denied", "audited", "dropped", "failed")
PROTOCOLS = ("tcp", "udp", "sctp")

FORMS = {
    "tcp on one node": (tcp(), "allowed", "tcp"),
    "tcp on two nodes": (tcp(CART, DB), "allowed", "tcp"),
    "tcp, every packet": (tcp(CART, DB, aggregated=False), "allowed", "tcp"),
    "tcp on one node, every packet": (tcp(aggregated=False), "allowed", "tcp"),
    "tcp seen from the source": (tcp(CART, DB, seen_from=["node-a"]), "allowed", "tcp"),
    "tcp seen from the destination": (tcp(CART, DB, seen_from=["node-b"]), "allowed", "tcp"),
    "tcp that goes on": (tcp(CART, DB, ends=False), "allowed", "tcp"),
    "tcp to the world": (tcp(CART, world()), "allowed", "tcp"),
    "tcp to the API server": (tcp(CART, apiserver(), port=6443), "allowed", "tcp"),
    "tcp to another node": (tcp(CART, host("node-b"), port=10250), "allowed", "tcp"),
    "udp on one node": (datagrams(), "allowed", "udp"),
    "udp on two nodes": (datagrams(CART, DB), "allowed", "udp"),
    "udp, every packet": (datagrams(CART, DB, aggregated=False), "allowed", "udp"),
    "udp without an answer": (datagrams(CART, DB, answers=0), "allowed", "udp"),
    "udp seen from the source": (datagrams(CART, DB, seen_from=["node-a"]), "allowed", "udp"),
    "udp seen from the destination": (datagrams(CART, DB, seen_from=["node-b"]), "allowed", "udp"),
    "sctp": (datagrams(CART, DB, protocol="SCTP", port=3868), "allowed", "sctp"),
    "dns through the proxy": (dns(), "allowed", "udp"),
    "http through the proxy": (proxied(), "allowed", "tcp"),
    "http through the proxy, two nodes": (proxied(CART, DB), "allowed", "tcp"),
    "http, leg from the host": (proxied(CART, DB, leg=host("node-a")), "allowed", "tcp"),
    "http, leg from the host, one node": (proxied(leg=host("node-a")), "allowed", "tcp"),
    "http denied by the proxy": (proxied(code=403), "denied", "tcp"),
    "http to the world": (proxied(CART, world()), "allowed", "tcp"),
    "denied at the source": (denied(CART, DB), "denied", "tcp"),
    "denied at the destination": (denied(CART, DB, ingress=True), "denied", "tcp"),
    "denied by a named policy": (denied(CART, DB, policy="lockdown"), "denied", "tcp"),
    "denied udp": (denied(CART, DB, protocol="UDP"), "denied", "udp"),
    "audited": (audited(CART, pod("data/db-1", node="node-a")), "audited", "tcp"),
    "dropped": (dropped(), "dropped", "tcp"),
    "tcp through a service": (through_service(tcp()), "allowed", "tcp"),
    "tcp through a service, two nodes": (through_service(tcp(CART, DB)), "allowed", "tcp"),
    "tcp through a service, every packet": (
        through_service(tcp(CART, DB, aggregated=False)),
        "allowed",
        "tcp",
    ),
    "udp through a service": (through_service(datagrams(port=5353), port=53), "allowed", "udp"),
    "refused through a service": (through_service(refused()), "failed", "tcp"),
    "unanswered": (unanswered(), "failed", "tcp"),
    "refused": (refused(), "failed", "tcp"),
}


def doubled(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines for _ in range(2)]


def shuffled(lines: list[bytes]) -> list[bytes]:
    return random.Random(7).sample(lines, len(lines))


ORDERS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "in order": list,
    "each line twice": doubled,
    "reversed": lambda lines: lines[::-1],
    "shuffled": shuffled,
    "replayed": lambda lines: lines * 2,
    "replayed three times, shuffled": lambda lines: shuffled(lines * 3),
}


def is_within_lateness(lines: list[bytes], form: str) -> bool:
    """A connect that retries for half a minute cannot be reversed within ten seconds."""
    return not form.startswith("denied")


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_is_one_attempt_of_its_initiator(form: str) -> None:
    lines, outcome, protocol = FORMS[form]
    window = only(lines)
    assert (window.namespace, window.workload, window.direction) == ("shop", "cart", "outbound")
    assert window.attempts == 1
    assert {name: getattr(window, name) for name in OUTCOMES if getattr(window, name)} == {
        outcome: 1
    }
    assert {name: getattr(window, name) for name in PROTOCOLS if getattr(window, name)} == {
        protocol: 1
    }


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("form", FORMS)
def test_order_and_repetition_change_nothing(form: str, order: str) -> None:
    lines = FORMS[form][0]
    assert windows(ORDERS[order](lines), lateness=40) == windows(lines, lateness=40)


@pytest.mark.parametrize(
    ("lines", "point"),
    [
        (tcp(), "TO_ENDPOINT"),
        (tcp()[:4], "TO_ENDPOINT"),
        (tcp(CART, DB), "TO_ENDPOINT"),
        (tcp(CART, DB, seen_from=["node-a"]), "TO_ENDPOINT"),
        (tcp(CART, DB, at=59.9995), "TO_ENDPOINT"),
        (tcp(CART, port=41_000, from_port=40_000), "TO_ENDPOINT"),
        (datagrams(port=5353), "TO_ENDPOINT"),
        (refused(), "TO_ENDPOINT"),
        (tcp(world(), CART), "TO_STACK"),
    ],
)
def test_a_service_on_the_way_changes_nothing(lines: list[bytes], point: str) -> None:
    """Neither that of a pod's client nor, with direct return, that of the world's."""
    through = through_service(lines, point)
    assert through != lines
    assert windows(through) == windows(lines)
    assert windows(through[::-1]) == windows(lines)


@pytest.mark.parametrize("form", FORMS)
def test_batches_change_nothing(form: str) -> None:
    lines = FORMS[form][0]
    assert windows(lines, batch=1) == windows(lines)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp on two nodes", "tcp, every packet"),
        ("tcp on two nodes", "tcp seen from the source"),
        ("tcp on two nodes", "tcp seen from the destination"),
        ("tcp on one node", "tcp on one node, every packet"),
        ("udp on two nodes", "udp, every packet"),
        ("udp on two nodes", "udp seen from the source"),
        ("udp on two nodes", "udp seen from the destination"),
    ],
)
def test_where_and_how_closely_it_was_recorded_changes_nothing(one: str, other: str) -> None:
    assert windows(FORMS[one][0]) == windows(FORMS[other][0])


def peers(window: WindowRecord) -> tuple[list[str], int, int, int, int]:
    return (
        window.peer_namespaces,
        window.peer_workloads,
        window.peer_addresses,
        window.peer_ports,
        window.external_destinations,
    )


def test_a_pods_peer_is_its_workload() -> None:
    assert peers(only(tcp(CART, DB))) == (["data"], 1, 1, 1, 0)


def test_the_worlds_address_is_an_external_destination() -> None:
    assert peers(only(tcp(CART, world()))) == ([], 0, 1, 1, 1)


def test_a_node_local_cidr_identity_is_the_world_too() -> None:
    assert only(tcp(CART, world(identity=16_777_230))).external_destinations == 1


def test_an_external_destination_known_by_name_counts_by_name() -> None:
    lines = tcp(CART, world("203.0.113.9")) + tcp(CART, world("203.0.113.10"), from_port=41_001)
    named = [
        line.replace(b'"Type"', b'"destination_names":["api.example.com"],"Type"') for line in lines
    ]
    assert only(lines).external_destinations == 2
    assert only(named).external_destinations == 1


def test_nodes_and_the_api_server_are_no_external_destinations() -> None:
    lines = tcp(CART, apiserver()) + tcp(CART, host("node-b"), from_port=41_001)
    assert only(lines).external_destinations == 0


@pytest.mark.parametrize("identity", [2, 16_777_217])
@pytest.mark.parametrize("others", [(), ("cidr:203.0.113.1/32",)])
def test_an_api_server_outside_the_cluster_is_the_api_server(
    identity: int, others: tuple[str, ...]
) -> None:
    labels = (*others, "reserved:kube-apiserver", "reserved:world")
    for shown in (labels, labels[::-1]):
        window = only(tcp(CART, Party("203.0.113.1", identity, labels=shown), port=443))
        assert window.external_destinations == 0
        assert [edge.workload for edge in window.edges] == ["kube-apiserver"]


def test_the_api_server_is_one_peer_whichever_node_its_client_is_on() -> None:
    """Its own node is the host to itself, with the API server's label."""
    address = "172.18.0.250"
    away = tcp(CART, Party(address, 7, labels=("reserved:kube-apiserver", "reserved:remote-node")))
    at_home = [
        line.replace(
            b'"identity":7,"labels":["reserved:kube-apiserver","reserved:remote-node"]',
            b'"identity":1,"labels":["reserved:host","reserved:kube-apiserver"]',
        )
        for line in away
    ]
    assert at_home != away
    assert windows(at_home) == windows(away)


def test_a_services_own_address_is_the_service_and_not_outside() -> None:
    """It is seen where no pod stands behind it; Cilium takes it for the world's."""
    address = world("10.96.0.50")
    at_service = [
        line.replace(b'"Type"', b'"destination_service":{"name":"db","namespace":"data"},"Type"')
        for line in dropped(CART, address)
    ]
    assert only(dropped(CART, address)).external_destinations == 1
    window = only(at_service)
    assert (window.dropped, window.external_destinations) == (1, 0)
    assert window.peer_namespaces == ["data"]
    assert [(edge.namespace, edge.workload) for edge in window.edges] == [("data", "db")]
    answered = [
        line.replace(b'"Type"', b'"source_service":{"name":"db","namespace":"data"},"Type"')
        for line in tcp(CART, address)
        if b'"is_reply":true' in line
    ]
    both = at_service + answered
    assert only(both) == only(both[::-1])
    assert only(both).external_destinations == 0


def test_an_address_that_has_a_party_keeps_it_though_a_service_uses_it() -> None:
    lines = tcp(CART, host("node-b"), port=30_080)
    at_service = [
        line.replace(b'"Type"', b'"destination_service":{"name":"db","namespace":"data"},"Type"')
        for line in lines
    ]
    assert windows(at_service) == windows(lines)


def test_a_pod_that_carries_a_world_label_is_a_pod() -> None:
    """Old agents gave pods the identity of the world in access logs."""
    lines = [
        line.replace(b'"identity":%d' % DB.identity, b'"identity":2') for line in tcp(CART, DB)
    ]
    assert peers(only(lines)) == (["data"], 1, 1, 1, 0)


def test_what_the_world_opens_is_inbound_to_the_pod() -> None:
    window = only(tcp(world(), CART))
    assert (window.workload, window.direction, window.attempts) == ("cart", "inbound", 1)
    assert window.external_destinations == 0


def test_two_pods_of_one_workload_are_one_subject() -> None:
    lines = tcp(CART, DB) + tcp(pod("shop/cart-7d9f8c6b5-bcdfg", node="node-b"), DB)
    window = only(lines)
    assert (window.attempts, window.pods) == (2, 2)


def test_distinct_source_ports_are_distinct_attempts() -> None:
    lines = [line for port in range(41_000, 41_010) for line in tcp(CART, DB, from_port=port)]
    assert only(lines).attempts == 10


def test_the_same_ports_of_tcp_and_udp_are_two_attempts() -> None:
    window = only(tcp(CART, DB, port=53) + datagrams(CART, DB, port=53))
    assert (window.tcp, window.udp, window.attempts) == (1, 1, 2)


def test_dns_counts_queries_names_and_failures() -> None:
    window = only(dns(rcode=3))
    assert (window.dns_queries, window.dns_failures, window.dns_names) == (2, 2, 1)


@pytest.mark.parametrize("name", ["DB.shop.svc.cluster.local.", "db.sHOP.svc.cluster.local"])
def test_a_name_in_upper_and_lower_case_is_one(name: str) -> None:
    window = only(dns() + dns(name=name, at=1, from_port=41_001))
    assert (window.dns_queries, window.dns_names) == (4, 1)


def test_dns_answers_are_known_by_the_number_of_their_type_too() -> None:
    lines = [
        line.replace(b'"RESPONSE"', b"2").replace(b'"type":"REQUEST"', b'"type":1')
        for line in dns(rcode=3)
    ]
    assert lines != dns(rcode=3)
    assert windows(lines) == windows(dns(rcode=3))


def test_steps_of_the_search_list_to_an_answer_are_no_failures() -> None:
    step = dns(name="example.com.shop.svc.cluster.local.", rcode=3, from_port=41_001)
    assert only(step).dns_failures == 2
    window = only(step + dns(name="example.com.", at=0.1, from_port=41_002))
    assert (window.dns_queries, window.dns_failures, window.dns_names) == (4, 0, 2)


def test_what_another_workload_was_answered_excuses_no_failure() -> None:
    step = dns(CART, name="example.com.shop.svc.cluster.local.", rcode=3)
    found = dns(pod("shop/stock-7d9f8c6b5-bcdfg"), name="example.com.", from_port=41_002)
    failures = {window.workload: window.dns_failures for window in windows(step + found)}
    assert failures["cart"] == 2


def test_dns_told_twice_counts_once() -> None:
    assert windows(doubled(dns(rcode=3))) == windows(dns(rcode=3))


def test_a_successful_lookup_is_no_failure() -> None:
    assert only(dns()).dns_failures == 0


def test_icmp_is_counted_apart() -> None:
    window = only(ping(CART, DB) + tcp(CART, DB))
    assert (window.icmp, window.attempts, window.tcp) == (1, 1, 1)


def test_two_pods_that_ping_each_other_are_counted_in_either_order() -> None:
    lines = ping(CART, DB) + ping(DB, CART)
    assert windows(lines) == windows(lines[::-1])
