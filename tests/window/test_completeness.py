"""How much of a window was seen: losses, silent nodes, nodes that Relay reports."""

from __future__ import annotations

import json

import pytest
from tests.builders import lost, node_status, pod
from tests.connections import tcp
from tests.running import Run, run

from hubblewatch.state import changes


def traffic(*minutes: int, node: str = "node-a", connections: int = 5) -> list[bytes]:
    """Some connections on one node in each of these minutes, spread over each of them."""
    client = pod(f"shop/cart-{node[-1]}-0", node=node)
    server = pod(f"shop/db-{node[-1]}-0", node=node)
    return [
        line
        for minute in minutes
        for number in range(connections)
        for line in tcp(
            client,
            server,
            at=minute * 60 + 5 + number * 50 / connections,
            from_port=40_000 + minute * 100 + number,
        )
    ]


def in_order(lines: list[bytes]) -> list[bytes]:
    return sorted(lines, key=lambda line: str(json.loads(line)["time"]))


def shares(found: Run) -> list[float]:
    return [round(closed.closing.completeness.share, 3) for closed in found.closed]


EVENTS = len(traffic(0))


def test_all_seen_is_complete() -> None:
    found = run(traffic(0, 1, 2))
    assert shares(found) == [1, 1, 1]
    assert [window.completeness for window in found.windows] == [1, 1, 1]


def test_a_loss_leaves_its_window_incomplete() -> None:
    found = run(in_order([*traffic(0, 1, 2), lost(90, count=EVENTS)]))
    assert shares(found) == [1, 0.5, 1]
    assert [window.completeness for window in found.windows] == [1, 0.5, 1]


def test_a_loss_noticed_after_the_window_leaves_both_incomplete() -> None:
    found = run(in_order([*traffic(0, 1, 2), lost(61, count=EVENTS)]))
    assert shares(found) == [0.5, 0.5, 1]


def test_a_loss_told_twice_counts_once() -> None:
    found = run(in_order([*traffic(0, 1), *[lost(90, count=EVENTS)] * 2]))
    assert shares(found) == [1, 0.5]
    assert found.pipeline.counts.lost == {"HUBBLE_RING_BUFFER": EVENTS}


def test_losses_of_several_sources_and_nodes_add_up() -> None:
    losses = [
        lost(30, count=EVENTS),
        lost(30, count=EVENTS, source="PERF_EVENT_RING_BUFFER"),
        lost(30, count=EVENTS, node="node-b"),
        lost(31, count=EVENTS),
    ]
    found = run(in_order([*traffic(0), *losses]))
    assert shares(found) == [0.2]
    assert found.closed[0].closing.completeness.lost == 4 * EVENTS


def test_a_loss_in_a_closed_window_changes_nothing() -> None:
    found = run([*traffic(0, 1, 2), lost(30, count=EVENTS)])
    assert shares(found) == [1, 1, 1]


def test_a_loss_without_a_time_of_its_own_has_the_time_of_its_last_event() -> None:
    content = json.loads(lost(0, count=EVENTS))
    content["lost_events"]["last"] = content.pop("time")
    found = run([*traffic(0), json.dumps(content).encode()])
    assert shares(found) == [0.5]


@pytest.mark.parametrize("count", ["-3", str(1 << 64), "9" * 400])
def test_a_loss_of_an_impossible_number_changes_nothing(count: str) -> None:
    content = json.loads(lost(30))
    content["lost_events"]["num_events_lost"] = count
    assert shares(run([*traffic(0), json.dumps(content).encode()])) == [1]


def test_losses_of_the_largest_numbers_can_be_remembered() -> None:
    most = (1 << 64) - 1
    found = run([*traffic(0), lost(30, count=most), lost(31, count=most), *traffic(120)])
    assert min(shares(found)) < 0.01
    assert [key for key, value in changes(found.pipeline) if key == b'["stream"]' and value]


def test_a_loss_of_nothing_is_none() -> None:
    """From 1.19.4 a ring buffer loss is reported without any loss too."""
    assert shares(run([*traffic(0), lost(30, count=0)])) == [1]


def test_an_incomplete_window_is_not_complete_enough_to_judge_absence() -> None:
    found = run(in_order([*traffic(0, 1), lost(90, count=EVENTS)]))
    assert [closed.closing.is_complete for closed in found.closed] == [True, False]


def test_a_busy_node_that_falls_silent_is_missed() -> None:
    both = [*traffic(0, 1, 2, 3), *traffic(0, 1, 2, node="node-b")]
    found = run(in_order(both))
    assert shares(found) == [1, 1, 1, 0.5]
    assert found.closed[3].closing.completeness.silent_nodes == ["node-b"]


def test_a_node_that_is_gone_for_good_is_missed_no_longer() -> None:
    both = [*traffic(*range(20)), *traffic(0, 1, 2, node="node-b")]
    assert shares(run(in_order(both)))[-1] == 1


def test_a_quiet_node_that_falls_silent_is_not_missed() -> None:
    both = [*traffic(0, 1, 2, 3), *traffic(0, 1, 2, node="node-b", connections=1)]
    assert shares(run(in_order(both))) == [1, 1, 1, 1]


@pytest.mark.parametrize("state", ["NODE_UNAVAILABLE", "NODE_GONE", "NODE_ERROR", 2, 3, 4])
@pytest.mark.parametrize("name", ["node-b", "kind/node-b"])
def test_a_quiet_node_that_relay_reports_away_is_missed(state: str | int, name: str) -> None:
    both = [*traffic(0, 1, 2, 3), *traffic(0, 1, 2, node="node-b", connections=1)]
    status = node_status(175, "NODE_ERROR", name).replace(
        b'"NODE_ERROR"', json.dumps(state).encode()
    )
    found = run(in_order([*both, status]))
    assert found.closed[3].closing.completeness.silent_nodes == ["node-b"]


@pytest.mark.parametrize("state", ["NODE_CONNECTED", "UNKNOWN_NODE_STATE", "NODE_RESTING"])
def test_other_node_states_make_nobody_missed(state: str) -> None:
    both = [*traffic(0, 1, 2, 3), *traffic(0, 1, 2, node="node-b", connections=1)]
    found = run(in_order([*both, node_status(175, state, "node-b")]))
    assert shares(found) == [1, 1, 1, 1]


def test_a_node_that_is_connected_again_is_missed_no_longer() -> None:
    both = [*traffic(0, 1, 2, 3), *traffic(0, 1, 2, node="node-b", connections=1)]
    states = [
        node_status(175, "NODE_ERROR", "node-b"),
        node_status(178, "NODE_CONNECTED", "node-b"),
    ]
    assert shares(run(in_order([*both, *states]))) == [1, 1, 1, 1]
