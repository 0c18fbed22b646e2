"""The same traffic gives the same windows in whatever order and however often it comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hubblewatch.window.closed import WindowRecord
from tests.builders import apiserver, heartbeat, host, pod, world
from tests.connections import datagrams, ping, tcp
from tests.proxying import dns, proxied
from tests.refusals import audited, denied, dropped, refused, unanswered
from tests.running import run, windows

PODS = [
    pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a"),
    pod("shop/cart-7d9f8c6b5-bcdfg", node="node-b"),
    pod("data/db-0", node="node-b", kind="StatefulSet"),
    pod("net/net-cfgmgr-x2x7z", node="node-a", workload="net-cfgmgr", kind="DaemonSet"),
    pod("blog/backup-28492840-x2x7z", node="node-c", kind="CronJob"),
    pod("blog/alone", node="node-c", workload=""),
]
OTHERS = [world(), world("198.51.100.7", identity=16_777_230), apiserver(), host("node-b")]

LATENESS = 10

FORMS: dict[str, Callable[..., list[bytes]]] = {
    "tcp": tcp,
    "tcp, every packet": partial(tcp, aggregated=False),
    "tcp, two nodes watched": partial(tcp, seen_from=["node-a", "node-c"]),
    "udp": datagrams,
    "udp, one answer": partial(datagrams, port=9_000, answers=1),
    "sctp": partial(datagrams, protocol="SCTP"),
    "http": proxied,
    "http, leg from the host": partial(proxied, leg=host("node-a", "10.0.0.148")),
    "dns": partial(dns, rcode=3),
    "denied": denied,
    "denied at the other end": partial(denied, ingress=True, policy="lock"),
    "unanswered": unanswered,
    "refused": refused,
    "audited": audited,
    "dropped": dropped,
    "ping": ping,
}
WITHOUT_PORTS = {"audited", "dropped", "ping"}
Plan = list[tuple[str, int, int, float, int]]
"""Form, initiator, responder, time and port of some connections."""


def times() -> st.SearchStrategy[float]:
    """Anywhere in some minutes, often close to a window's boundary."""
    anywhere = st.integers(0, 3_000).map(lambda tenths: tenths / 10)
    near = st.tuples(st.integers(1, 4), st.integers(-50, 50)).map(
        lambda found: found[0] * 60 + found[1] / 10
    )
    return anywhere | near


def plans() -> st.SearchStrategy[Plan]:
    """Some connections; some with the same ports, one after the other or at once."""
    connection = st.tuples(
        st.sampled_from(list(FORMS)),
        st.integers(0, len(PODS) - 1),
        st.integers(0, len(PODS) + len(OTHERS) - 1),
        times(),
        st.integers(40_000, 40_003),
    )
    return st.lists(connection.filter(lambda found: found[1] != found[2]), min_size=1, max_size=8)


def lines_of(plan: Plan) -> list[bytes]:
    """The lines of the planned connections, in order of time."""
    lines: list[bytes] = []
    for form, source, destination, at, port in plan:
        ends = (PODS[source], [*PODS, *OTHERS][destination])
        ports = {} if form in WITHOUT_PORTS else {"from_port": port}
        lines += FORMS[form](*ends, at, **ports)
    return sorted(lines, key=time_of)


def time_of(line: bytes) -> float:
    time = json.loads(line)["time"]
    return int(time[11:13]) * 3_600 + int(time[14:16]) * 60 + float(time[17:-1])


def counted(found: list[WindowRecord]) -> list[WindowRecord]:
    """Without the completeness: twice the events make a quiet node look like a busy one."""
    same = {"completeness": 1.0, "complete": True, "silent_nodes": 0}
    return [msgspec.structs.replace(window, **same) for window in found]


def records(lines: list[bytes], **how: Any) -> list[WindowRecord]:
    found = run(lines, lateness=LATENESS, **how)
    assert found.rejects == []
    assert found.pipeline.counts.late == 0
    return found.windows


@settings(deadline=None, max_examples=300)
@given(plans(), st.integers(0, 1_000))
def test_any_order_within_the_lateness_closes_the_same_windows(plan: Plan, seed: int) -> None:
    lines, rng = lines_of(plan), Random(seed)
    late = sorted(lines, key=lambda line: time_of(line) + rng.uniform(0, LATENESS - 1))
    assert records(late) == records(lines)


@settings(deadline=None, max_examples=100)
@given(plans())
def test_each_line_twice_closes_the_same_windows(plan: Plan) -> None:
    lines = lines_of(plan)
    assert counted(records([line for line in lines for _ in range(2)])) == counted(records(lines))


@settings(deadline=None, max_examples=100)
@given(plans(), st.integers(0, 1_000))
def test_lines_told_again_seconds_later_close_the_same_windows(plan: Plan, seed: int) -> None:
    lines, rng = lines_of(plan), Random(seed)
    again = sorted(lines * 2, key=lambda line: time_of(line) + rng.uniform(0, LATENESS - 1))
    assert counted(records(again)) == counted(records(lines))


@settings(deadline=None, max_examples=50)
@given(plans(), st.integers(1, 7))
def test_batches_close_the_same_windows(plan: Plan, batch: int) -> None:
    lines = lines_of(plan)
    assert records(lines, batch=batch) == records(lines)


@settings(deadline=None, max_examples=100)
@given(plans())
def test_heartbeats_close_the_same_windows(plan: Plan) -> None:
    lines = lines_of(plan)
    beats = [heartbeat(number, number - LATENESS, at=number) for number in range(420)]
    merged = sorted([*lines, *beats], key=lambda line: (time_of(line), b"heartbeat" not in line))
    # With heartbeats and no census a partition has a share of the events, and misses no node.
    assert counted(records([heartbeat(0, -LATENESS), *merged])) == counted(records(lines))


@settings(deadline=None, max_examples=100)
@given(plans())
def test_counts_agree_with_each_other(plan: Plan) -> None:
    lines = lines_of(plan)
    for window in records(lines):
        outcomes = window.allowed + window.denied + window.audited + window.dropped + window.failed
        assert outcomes == window.attempts == window.tcp + window.udp + window.sctp
        assert sum(edge.attempts for edge in window.edges) == window.attempts
        assert sum(edge.denied for edge in window.edges) == window.denied
        assert window.peer_workloads >= len(window.peer_namespaces)
        assert window.peer_addresses <= window.attempts
        assert len(window.edges) <= window.attempts


@settings(deadline=None, max_examples=30)
@given(plans())
def test_windows_are_in_order_and_whole_minutes(plan: Plan) -> None:
    lines = lines_of(plan)
    found = run(lines)
    for one, other in pairwise(found.closed):
        assert one.closing.end == other.closing.start
    for closed in found.closed:
        assert closed.closing.start % 60 == 0
        subjects = [window.subject for window in closed.closing.windows]
        assert subjects == sorted(set(subjects))


COUNTS = "attempts allowed denied audited dropped failed tcp udp icmp sctp"
PEERS = "peer_namespaces peer_workloads peer_addresses peer_ports external_destinations new_edges"
NAMES = "dns_queries dns_failures dns_names"


def test_a_record_has_every_member_of_the_contract() -> None:
    (window,) = windows(tcp())
    written = json.loads(msgspec.json.encode(window))
    named = f"start end cluster namespace workload direction {COUNTS} {PEERS} {NAMES} completeness"
    assert written.keys() >= set(named.split())
    assert written["peer_namespaces"] == ["shop"]
    assert isinstance(written["peer_workloads"], int)
