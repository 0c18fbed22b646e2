"""Which nodes Relay cannot reach: what it last said, unless the node was heard since."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import flow, node_status, pod
from tests.running import Run, run

from hubblewatch.baseline.node_states import take_events
from hubblewatch.baseline.past import StreamMemory

NODES = ("node-a", "node-b", "node-c")
LATENESS = 10

Told = tuple[float, str, str]


def on(node: str, at: float) -> bytes:
    return flow(pod(f"shop/on-{node}", node=node), pod("shop/db-0"), at=at)


def unavailable(found: Run) -> list[str]:
    return found.pipeline.memory.stream.unavailable


def test_a_node_is_unavailable_until_relay_says_otherwise() -> None:
    away = [on("node-a", 0), node_status(5, "NODE_UNAVAILABLE", "node-b"), on("node-a", 400)]
    assert unavailable(run(away)) == ["node-b"]
    assert unavailable(run([*away, node_status(401, "NODE_CONNECTED", "node-b")])) == []


@pytest.mark.parametrize("name", ["node-b", "cluster-1/node-b"])
def test_events_in_a_later_window_show_that_a_node_is_back(name: str) -> None:
    lines = [on("node-a", 0), node_status(5, "NODE_ERROR", name), on("node-b", 70)]
    assert unavailable(run(lines)) == []


def test_events_of_the_window_in_which_it_was_told_show_nothing() -> None:
    lines = [on("node-b", 1), node_status(5, "NODE_GONE", "node-b"), on("node-a", 130)]
    assert unavailable(run(lines)) == ["node-b"]


def test_a_state_told_before_the_first_flow_holds() -> None:
    lines = [node_status(-300, "NODE_UNAVAILABLE", "node-b"), on("node-a", 0), on("node-a", 1)]
    assert unavailable(run(lines)) == ["node-b"]


def test_a_state_told_late_holds_for_what_is_open() -> None:
    lines = [on("node-a", 0), on("node-a", 300), node_status(5, "NODE_UNAVAILABLE", "node-b")]
    assert unavailable(run(lines)) == ["node-b"]


def test_a_state_from_before_the_windows_were_kept_is_read_and_refuted() -> None:
    old = msgspec.to_builtins(StreamMemory(unavailable=["node-a", "node-b"]))
    del old["unavailable_since"]
    stream = msgspec.convert(old, StreamMemory)
    take_events(stream, {"node-a": 3, "node-b": 0}, 7)
    assert stream.unavailable == ["node-b"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 300),
            st.sampled_from(["event", "NODE_CONNECTED", "NODE_UNAVAILABLE"]),
            st.sampled_from(NODES),
        ),
        max_size=25,
    ),
    st.integers(0, 1_000),
)
def test_any_order_within_the_lateness_leaves_the_same_nodes(plan: list[Told], seed: int) -> None:
    told = sorted({*plan, (0, "event", "node-a"), (330, "event", "node-a")})
    rng = Random(seed)
    shuffled = sorted(told, key=lambda one: one[0] + rng.uniform(0, LATENESS - 1))

    def judged(plan: list[Told]) -> list[object]:
        lines = [
            on(node, at) if what == "event" else node_status(at, what, node)
            for at, what, node in plan
        ]
        found = run(lines, lateness=LATENESS)
        shares = [closed.closing.completeness for closed in found.closed]
        return [unavailable(found), found.pipeline.memory.stream.unavailable_since, shares]

    assert judged(shuffled) == judged(told)
