"""A line of an aggregating exporter stands for as many flows as it says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import DROP, VERDICT, flow, pod
from tests.connections import tcp
from tests.running import only, windows

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
DB = pod("data/db-0", node="node-b", kind="StatefulSet")


def aggregated(
    at: float = 0.0, *, egress: Any = 0, ingress: Any = 0, unknown: Any = 0, **what: Any
) -> bytes:
    counts = {
        "egress_flow_count": egress,
        "ingress_flow_count": ingress,
        "unknown_direction_flow_count": unknown,
    }
    counts = {name: count for name, count in counts.items() if count}
    what = {"ports": (0, 5_432), "flags": "SYN", "is_reply": False, "kind": VERDICT} | what
    return flow(CART, DB, at=at, aggregate=counts, **what)


@pytest.mark.parametrize("counts", [{"egress": 7}, {"ingress": 7}, {"unknown": 7}, {"egress": "7"}])
def test_a_line_weighs_what_it_counts(counts: dict[str, Any]) -> None:
    window = only([aggregated(**counts)])
    assert (window.attempts, window.allowed, window.tcp) == (7, 7, 7)


def test_a_pair_of_pods_on_one_node_is_counted_in_both_directions_but_once() -> None:
    assert only([aggregated(egress=7, ingress=7)]).attempts == 7


def test_lines_sum_up_and_repeated_ones_do_not() -> None:
    lines = [aggregated(at, egress=3) for at in (1, 11, 21)]
    assert only(lines).attempts == 9
    assert windows(lines * 2) == windows(lines)


def test_each_window_has_its_own_share() -> None:
    lines = [aggregated(at, egress=3) for at in (1, 61, 121)]
    assert [window.attempts for window in windows(lines)] == [3, 3, 3]


def test_outcomes_are_kept_apart_in_every_window() -> None:
    lines = [
        line
        for at in (1, 301)
        for line in (
            aggregated(at, egress=5),
            aggregated(at + 1, egress=3, verdict="DROPPED"),
            aggregated(at + 2, egress=3, verdict="DROPPED", kind=DROP, drop_reason=133),
        )
    ]
    assert [(w.attempts, w.allowed, w.denied) for w in windows(lines)] == [(8, 5, 3), (8, 5, 3)]


def test_replies_are_no_further_attempts() -> None:
    reply = flow(
        DB,
        CART,
        at=2,
        node="node-a",
        ports=(5_432, 0),
        is_reply=True,
        flags="ACK",
        aggregate={"ingress_flow_count": 5},
    )
    window = only([aggregated(egress=5), reply])
    assert (window.workload, window.attempts) == ("cart", 5)


@pytest.mark.parametrize("count", [0, -3, "many", 10**30])
def test_a_count_that_is_none_leaves_the_line_an_event(count: Any) -> None:
    assert only([aggregated(egress=count)]).attempts == 1


def test_both_nodes_saying_the_same_count_once() -> None:
    lines = [aggregated(egress=4), aggregated(ingress=4, node="node-b")]
    assert only(lines).attempts == 4


def test_an_aggregate_beside_whole_lines_does_not_double_them() -> None:
    lines = [*tcp(CART, DB, port=5_432), aggregated(egress=4, ports=(41_000, 5_432))]
    assert only(lines).attempts == 4
