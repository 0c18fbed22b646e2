"""The workload of a pod, by its name or by its node's word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import flow, pod
from tests.connections import tcp
from tests.running import only, windows

from hubblewatch.attempt.workload import is_scheduled, workload_from_pod_name


@pytest.mark.parametrize(
    ("pod_name", "workload"),
    [
        ("cart-7d9f8c6b5-x2x7z", "cart"),
        ("coredns-558bd4d5db-w2m67", "coredns"),
        ("productpage-v1-6b746f74dc-9rcxx", "productpage-v1"),
        ("ratings-v1-b6994bb9-jgqxb", "ratings-v1"),
        ("deathstar-7848d6c4d5-th9v2", "deathstar"),
        ("app-20240101-7d9f8c6b5-x2x7z", "app-20240101"),
        ("my-app-2-7d9f8c6b5-x2x7z", "my-app-2"),
        ("db-0", "db"),
        ("my-cluster-kafka-12", "my-cluster-kafka"),
        ("node-local-dns-88zrp", "node-local-dns"),
        ("otelcol-hubble-collector-fwc6m", "otelcol-hubble-collector"),
        ("backup-28492840-x2x7z", "backup"),
        ("backup-1700000000-x2x7z", "backup"),
        ("backup-28492840-3-x2x7z", "backup"),
        ("app-20240101-7799489597-x2x7z", "app-20240101"),
        ("migrate-x2x7z", "migrate"),
        ("train-4-x2x7z", "train"),
        ("xwing", "xwing"),
        ("tiefighter", "tiefighter"),
        ("etcd-control-plane", "etcd-control-plane"),
        ("web", "web"),
        ("0", "0"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_each_controllers_form_gives_the_workload(pod_name: str, workload: str) -> None:
    assert workload_from_pod_name(pod_name) == workload


SUFFIX = st.text("bcdfghjklmnpqrstvwxz2456789", min_size=5, max_size=5)
HASH = st.text("bcdfghjklmnpqrstvwxz2456789", min_size=8, max_size=10)


@given(HASH, SUFFIX, SUFFIX)
def test_all_pods_of_a_deployment_are_one_workload(template: str, one: str, other: str) -> None:
    assert workload_from_pod_name(f"cart-{template}-{one}") == "cart"
    assert workload_from_pod_name(f"cart-{template}-{other}") == "cart"


@pytest.mark.parametrize(
    "pod_name",
    ["backup-28492840-x2x7z", "backup-1700000000-x2x7z", "backup-28492840-3-x2x7z"],
)
def test_a_pod_of_a_cron_job_is_scheduled(pod_name: str) -> None:
    assert is_scheduled(pod_name)


@pytest.mark.parametrize("template", ["7799489597", "84597765", "4596784"])
def test_a_hash_of_digits_only_is_no_time_of_a_schedule(template: str) -> None:
    assert not is_scheduled(f"pay-{template}-x2x7z")
    assert not is_scheduled(f"app-20240101-{template}-x2x7z")
    assert workload_from_pod_name(f"pay-{template}-x2x7z") == "pay"


@given(st.text(max_size=80))
def test_any_name_gives_some_workload(pod_name: str) -> None:
    assert bool(workload_from_pod_name(pod_name)) == bool(pod_name)


KINDS = [
    ("shop/cart-7d9f8c6b5-x2x7z", "Deployment"),
    ("shop/db-0", "StatefulSet"),
    ("shop/agent-x2x7z", "DaemonSet"),
    ("shop/migrate-x2x7z", "Job"),
    ("shop/backup-28492840-x2x7z", "CronJob"),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_one_node_naming_the_workload_makes_no_second_one(name: str, kind: str) -> None:
    known = pod(name, node="node-a", kind=kind)
    unknown = pod(name, node="node-a", workload="")
    server = pod("data/db-0", node="node-b")
    lines = tcp(known, server) + tcp(unknown, server, at=1, from_port=41_001)
    assert only(lines).attempts == 2


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_workload_is_the_same_seen_from_either_node(name: str, kind: str) -> None:
    client, server = pod(name, kind=kind), pod("data/db-0", node="node-b")
    from_source = windows(tcp(client, server, seen_from=["node-a"]))
    assert from_source == windows(tcp(client, server, seen_from=["node-b"]))


def test_a_name_that_misleads_gives_way_to_the_nodes_word() -> None:
    misleading = pod("shop/net-cfgmgr-x2x7z", workload="net-cfgmgr", kind="DaemonSet")
    assert workload_from_pod_name("net-cfgmgr-x2x7z") == "net"
    assert only(tcp(misleading)).workload == "net-cfgmgr"


@pytest.mark.parametrize("reverse", [False, True])
def test_the_nodes_word_holds_for_the_whole_window_in_any_order(reverse: bool) -> None:
    named = pod("shop/net-cfgmgr-x2x7z", workload="net-cfgmgr", kind="DaemonSet")
    unnamed = pod("shop/net-cfgmgr-x2x7z", workload="", node="node-a")
    lines = tcp(unnamed) + tcp(named, at=2, from_port=41_001) + tcp(unnamed, at=4, from_port=41_002)
    window = only(lines[::-1] if reverse else lines)
    assert (window.workload, window.attempts) == ("net-cfgmgr", 3)


@pytest.mark.parametrize("reverse", [False, True])
def test_two_names_at_one_second_are_settled_the_same_in_any_order(reverse: bool) -> None:
    one = pod("shop/x-0", workload="alpha", kind="A")
    other = pod("shop/x-0", workload="beta", kind="B")
    lines = tcp(one) + tcp(other, from_port=41_001)
    assert only(lines[::-1] if reverse else lines).workload == "alpha"


def test_a_masked_pod_name_leaves_the_workload() -> None:
    content = json.loads(flow(flags="SYN", point="TO_ENDPOINT"))
    for end in ("source", "destination"):
        del content["flow"][end]["pod_name"]
    window = only([json.dumps(content).encode()])
    assert (window.namespace, window.workload, window.direction) == ("shop", "cart", "outbound")
    assert window.peer_namespaces == ["shop"]


def test_pods_of_one_name_in_two_namespaces_are_two_workloads() -> None:
    lines = tcp(pod("shop/web-0")) + tcp(pod("blog/web-0"))
    assert [(w.namespace, w.workload) for w in windows(lines)] == [("blog", "web"), ("shop", "web")]
