from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import START, flow, line, lost, node_status, rfc3339

from hubblewatch.flow.decode import decode_line
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.source.hubble.continuity import Continuity
from hubblewatch.source.hubble.counts import NodeState, SourceCounts
from hubblewatch.source.hubble.remembered import Remembered
from hubblewatch.window.completeness import STREAM_GAP

SECOND = 1_000_000_000
NOW = (START + 3_600) * SECOND
MINUTE = 60 * SECOND


class Stream:
    """A continuity and what it has handed on; ``at`` are seconds after the builders' START."""

    def __init__(self, remembered: Remembered | None = None) -> None:
        self.counts = SourceCounts()
        self.continuity = Continuity(self.counts, remembered)
        self.lines: list[Line] = []
        self.now_ns = NOW

    def take(self, *lines: bytes) -> list[Line]:
        decoded = [found for found in map(decode_line, lines) if isinstance(found, Line)]
        assert len(decoded) == len(lines)
        taken = self.continuity.take(decoded, [parse_ns(one.time) for one in decoded], self.now_ns)
        self.lines += taken
        return taken

    def resume(self, overlap: float = 10.0) -> float:
        """Break and resume; give the time asked from, in seconds after START."""
        return self.continuity.resume(round(overlap * SECOND), 0) / SECOND - START

    def uuids(self) -> list[str]:
        return [one.flow.uuid for one in self.lines if one.flow is not None]


def seen(at: float, node: str = "node-a", name: str = "") -> bytes:
    return flow(at=at, node=node, uuid=name or f"{node}-{at}")


def of_loss(lines: list[Line]) -> list[tuple[str, int, str, str]]:
    return [
        (str(one.lost_events.source), int(one.lost_events.num_events_lost), one.node_name, one.time)
        for one in lines
        if one.lost_events is not None
    ]


def states(lines: list[Line]) -> list[tuple[str, list[str]]]:
    return [
        (str(one.node_status.state_change), one.node_status.node_names)
        for one in lines
        if one.node_status is not None
    ]


def test_what_came_before_the_break_is_passed_by_after_it() -> None:
    stream = Stream()
    stream.take(*(seen(at) for at in range(20)))
    assert stream.resume() == 9
    stream.take(*(seen(at) for at in range(9, 25)))
    assert stream.uuids() == [f"node-a-{at}" for at in range(25)]
    assert stream.counts.duplicates == 11
    assert stream.counts.gaps == 0


@given(st.integers(0, 2**64))
def test_every_flow_comes_once_however_the_stream_breaks(seed: int) -> None:
    random = Random(seed)
    nodes = {name: [random.uniform(0, 300) for _ in range(40)] for name in ("a", "b", "c")}
    served = sorted((at, node) for node, times in nodes.items() for at in times)
    stream = Stream(Remembered(max_remembered=random.choice((20, 100, 10_000)), memory_ns=MINUTE))
    place = 0
    while place < len(served):
        until = place + random.randint(1, 40)
        stream.take(*(seen(at, node) for at, node in served[place:until]))
        since = stream.resume()
        place = next((i for i, (at, _) in enumerate(served) if at >= since), len(served))
        if until >= len(served):
            break
    assert sorted(stream.uuids()) == sorted(f"{node}-{at}" for at, node in served)
    assert stream.counts.gaps == 0


def test_a_gap_is_told_where_flows_did_not_come_again() -> None:
    stream = Stream()
    stream.take(*(seen(at / 10) for at in range(200)))
    stream.resume()
    losses = of_loss(stream.take(seen(29.9), seen(30.0)))
    assert [loss[0] for loss in losses] == [STREAM_GAP]
    # Ten flows a second were usual, and ten seconds are missing.
    assert 90 <= losses[0][1] <= 110
    assert stream.counts.gaps == 1
    assert stream.counts.lost[STREAM_GAP] == losses[0][1]


def test_a_node_known_from_before_is_missed_from_there_on() -> None:
    stream = Stream()
    stream.continuity.expect({"node-a": 10.0}, START * SECOND, (START + 10) * SECOND)
    assert stream.resume() == -10
    losses = of_loss(stream.take(seen(40.0)))
    assert sum(count for _, count, _, _ in losses) == 300
    assert stream.counts.gaps == 1


def test_a_flow_of_the_overlap_shows_that_a_node_known_from_before_is_whole() -> None:
    stream = Stream()
    stream.continuity.expect({"node-a": 10.0}, START * SECOND, (START + 10) * SECOND)
    assert not of_loss(stream.take(seen(3.0), seen(40.0)))
    assert stream.uuids() == ["node-a-3.0", "node-a-40.0"]


def test_a_quiet_node_leaves_no_gap() -> None:
    stream = Stream()
    stream.take(seen(0.0, "node-b"), *(seen(float(at)) for at in range(60)))
    stream.resume()
    taken = stream.take(*(seen(float(at)) for at in range(49, 60)), seen(90.0, "node-b"))
    assert not of_loss(taken)


def test_the_break_of_a_troubled_node_decides_from_where_to_ask() -> None:
    stream = Stream()
    stream.take(seen(5.0, "node-b"), node_status(6.0, "NODE_ERROR", "node-b"), seen(100.0))
    assert stream.resume() == -5
    stream.take(node_status(101.0, "NODE_GONE", "node-b"))
    assert stream.resume() == 90


def test_a_node_that_comes_back_without_a_sign_is_told_to_be_connected() -> None:
    stream = Stream()
    stream.take(seen(1.0), node_status(2.0, "NODE_ERROR", "node-a"))
    assert stream.counts.nodes[NodeState.ERROR] == 1
    assert states(stream.take(seen(9.0))) == [("NODE_CONNECTED", ["node-a"])]
    assert stream.counts.nodes[NodeState.CONNECTED] == 1


def test_a_replay_proves_that_a_node_which_was_away_lost_nothing() -> None:
    stream = Stream()
    stream.take(seen(1.0), seen(2.0), node_status(3.0, "NODE_ERROR", "node-a"))
    assert not of_loss(stream.take(seen(1.0), seen(2.0), seen(9.0)))
    assert stream.uuids() == ["node-a-1.0", "node-a-2.0", "node-a-9.0"]


def test_what_a_node_did_not_see_while_it_was_away_is_a_gap() -> None:
    stream = Stream()
    stream.take(seen(1.0), seen(2.0), node_status(3.0, "NODE_ERROR", "node-a"))
    assert [loss[0] for loss in of_loss(stream.take(seen(9.0)))] == [STREAM_GAP]


def test_flows_too_old_to_be_looked_up_are_passed_by() -> None:
    stream = Stream(Remembered(max_remembered=10, memory_ns=10**18))
    for at in range(100):
        stream.take(seen(float(at)))
    stream.take(*(seen(float(at)) for at in range(100)))
    assert len(stream.uuids()) == len(set(stream.uuids())) == 100
    assert stream.counts.stale > 0


def test_a_loss_that_hubble_reports_late_is_told_in_the_gap() -> None:
    stream = Stream()
    stream.take(*(seen(at / 10) for at in range(50)), seen(8.0), seen(8.1), seen(8.2))
    report = {
        "source": "HUBBLE_RING_BUFFER",
        "num_events_lost": "30",
        "first": rfc3339(8.05),
        "last": rfc3339(8.06),
    }
    # An hour of quiet later, with the first event that comes then.
    taken = stream.take(seen(3_608.0), line("lost_events", report, 3_608.1))
    assert of_loss(taken) == [("HUBBLE_RING_BUFFER", 30, "node-a", rfc3339(8.0))]
    assert stream.counts.lost["HUBBLE_RING_BUFFER"] == 30


def test_losses_told_one_by_one_become_one() -> None:
    stream = Stream()
    taken = stream.take(seen(1.0), *(lost(2.0 + at / 1_000) for at in range(300)), seen(3.0))
    assert [(loss[0], loss[1]) for loss in of_loss(taken)] == [("HUBBLE_RING_BUFFER", 300)]
    assert [one.flow is None for one in taken] == [False, True, False]


def test_losses_in_the_ring_are_told_once_though_it_is_read_again() -> None:
    stream = Stream()
    overload = lost(2.0, 7, source="PERF_EVENT_RING_BUFFER")
    stream.take(seen(1.0), overload, seen(3.0))
    stream.resume()
    stream.take(seen(1.0), overload, seen(3.0))
    assert len(of_loss(stream.lines)) == 1
    assert stream.counts.lost["PERF_EVENT_RING_BUFFER"] == 7


def test_nodes_out_of_sight_are_told_once() -> None:
    stream = Stream()
    stream.take(seen(1.0))
    told = stream.continuity.lose_sight({"node-a": "why"}, NodeState.SILENT, NOW)
    assert states(told) == [("NODE_UNAVAILABLE", ["node-a"])]
    assert not stream.continuity.lose_sight({"node-a": "why"}, NodeState.SILENT, NOW)
    assert states(stream.continuity.regain("node-a", NOW)) == [("NODE_CONNECTED", ["node-a"])]
    assert not stream.continuity.regain("node-a", NOW)


def test_a_node_never_heard_is_owed_all_since_the_stream_began() -> None:
    stream = Stream()
    stream.take(seen(100.0))
    stream.continuity.owe(["node-b"], (START + 40) * SECOND)
    assert stream.resume() == 30
    assert stream.resume() == 90


def test_nodes_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("hubblewatch.source.hubble.continuity.MAX_NODES", 3)
    stream = Stream()
    stream.take(*(seen(float(at), f"node-{at}") for at in range(10)))
    assert len(stream.continuity.nodes) == 3
    assert len(stream.uuids()) == 10


def test_a_busy_node_that_fell_silent_is_asked_for_though_no_check_has_noticed() -> None:
    stream = Stream()
    stream.take(*(seen(at / 2) for at in range(40)))
    stream.take(*(seen(at / 2, "node-b") for at in range(80)))
    assert stream.resume() == 19.5 - 10
    stream.take(*(seen(at / 2) for at in range(40, 60)))
    assert of_loss(stream.lines)[0][2] == "node-a"


def test_a_node_that_is_quiet_by_habit_or_for_long_is_not_gone_back_for() -> None:
    stream = Stream()
    stream.take(*(seen(at, "rare") for at in range(0, 30, 10)))
    stream.take(*(seen(at / 2, "ended") for at in range(40)))
    stream.take(*(seen(at / 2) for at in range(300)))
    assert stream.resume() == 149.5 - 10


def test_a_node_that_was_slow_and_goes_on_where_it_was_has_no_gap() -> None:
    stream = Stream()
    stream.take(*(seen(at / 10) for at in range(100)))
    stream.continuity.lose_sight({"node-a": "slow"}, NodeState.SILENT, NOW)
    stream.take(*(seen(at / 100) for at in range(991, 1_020)))
    assert stream.counts.gaps == 0
    assert not of_loss(stream.lines)


@pytest.mark.parametrize("ahead", [1, 100])
def test_a_clock_that_was_ahead_for_a_while_hides_no_gap(ahead: int) -> None:
    stream = Stream()
    stream.take(*(seen(3_000.0 + number) for number in range(100)))
    stream.now_ns = (START + 3_100) * SECOND
    stream.take(*(seen(7_200.0 + number) for number in range(ahead)))
    stream.now_ns = NOW
    stream.take(*(seen(3_100.0 + number) for number in range(100)))
    assert len(stream.uuids()) == 200 + ahead
    assert not of_loss(stream.lines)
    assert stream.resume() == 3_199 - 10
    told = of_loss(stream.take(seen(3_259.0)))
    assert 55 <= sum(count for _, count, _, _ in told) <= 65
    assert {at for *_, at in told} <= {rfc3339(3_199.0 + number) for number in range(61)}


def test_a_clock_that_is_ahead_does_not_move_the_place_to_resume_from() -> None:
    stream = Stream()
    stream.take(seen(1.0), seen(10 * 3_600.0, "node-b"))
    assert stream.resume() == 3_600 - 10
