"""One agent of Cilium 1.20, as it is: a ring, a gRPC server, and what they do under strain."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from random import Random

import pytest
from tests.hubble.flows import flow_now
from tests.hubble.listening import Listening
from tests.source.hubble.honest import Response, as_json
from tests.source.hubble.test_response import fill, from_json, told

from hubblewatch.flow.schema import Flow, Line
from hubblewatch.flow.timestamp import parse_ns


def is_connected(listening):
    return lambda: listening.stream.counts.connected


@pytest.mark.parametrize("tcp", [False, True])
def test_every_flow_arrives_once(start_agent, tcp):
    agent = start_agent(tcp=tcp, rate=2_000, count=6_000)
    with Listening(agent.address, max_resume_seconds=60) as listening:
        listening.wait_until(lambda: len(listening.flows) >= 4_000, 30)
        # The last flow in the ring is not readable until the next one is written.
        listening.wait_until(lambda: (listening.numbers("worker-1") or [0])[-1] >= 5_998, 30)
    numbers = listening.numbers("worker-1")
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert not listening.losses
    assert listening.stream.counts.flows == len(numbers)


@pytest.mark.parametrize("mask", ["on", "off"])
def test_lines_are_those_of_hubbles_own_json(start_agent, mask):
    agent = start_agent()
    random = Random(mask)
    lines = []
    with Listening(agent.address, field_mask=mask) as listening:
        listening.wait_until(is_connected(listening), 10)
        for number in range(400):
            response = Response()
            fill(response.flow, random)
            response.flow.time.FromDatetime(datetime.now(UTC))
            response.flow.uuid = f"uuid-{number}"
            response.flow.node_name = "worker-1"
            # An agent's flows over gRPC stand for themselves alone, and are not asked for this.
            response.flow.ClearField("aggregate")
            response.time.CopyFrom(response.flow.time)
            response.node_name = response.flow.node_name
            lines.append(as_json(response.SerializeToString()))
        agent.feed(lines)
        listening.wait_until(lambda: len(listening.flows) >= len(lines) - 1, 10)
    found = [without_empty(told(line)) for line in listening.flows]
    assert found == [without_empty(told(from_json(line))) for line in lines[: len(found)]]


def test_the_first_flow_of_an_idle_agent_is_seen_at_once(start_agent, templates):
    agent = start_agent()
    with Listening(agent.address) as listening:
        listening.wait_until(is_connected(listening), 10)
        time.sleep(1.5)
        # Hubble keeps the newest flow to itself until the next one is written.
        agent.feed([flow_now("first"), flow_now("second")])
        assert listening.wait_until(lambda: "first" in listening.uuids, 10) < 3


def test_what_a_small_ring_loses_is_told_where_it_is_missing(start_agent):
    agent = start_agent(ring=127, rate=60_000)
    with Listening(agent.address, buffer_flows=200) as listening:
        counts = listening.stream.counts
        listening.wait_until(
            lambda: len(reports_among_flows(listening.lines)) >= 3 and counts.flows > 20_000, 60
        )
    # Hubble steps through what is lost one by one and reports once a second, maybe in the midst
    # of a gap: what it says stands between what was missing before that gap and after it.
    reports = reports_among_flows(listening.lines)
    before_first, after_first = flows_around(listening.lines, reports[0])
    before_last, after_last = flows_around(listening.lines, reports[-1])
    losses = [listening.lines[place].lost_events for place in reports[1:]]
    assert {loss.source for loss in losses} == {"HUBBLE_RING_BUFFER"}
    lost = sum(int(loss.num_events_lost) for loss in losses)
    numbers = listening.numbers("worker-1")
    least = missing_between(numbers, after_first, before_last)
    most = missing_between(numbers, before_first, after_last)
    assert most > 0
    assert least * 0.98 - 5 <= lost <= most * 1.02 + 5
    times = sorted(parse_ns(line.time) for line in listening.flows)
    for loss in listening.losses:
        first, last = parse_ns(loss.lost_events.first), parse_ns(loss.lost_events.last)
        assert bisect_left(times, last) - bisect_right(times, first) == 0


def reports_among_flows(lines: list[Line]) -> list[int]:
    """Where losses are told with flows before and after."""
    flows = [place for place, line in enumerate(lines) if line.flow is not None]
    return [
        place
        for place, line in enumerate(lines)
        if line.lost_events is not None and flows and flows[0] < place < flows[-1]
    ]


def flows_around(lines: list[Line], place: int) -> tuple[int, int]:
    """The numbers of the last flow before a place and of the first one after it."""
    before = next(line.flow for line in reversed(lines[:place]) if line.flow is not None)
    after = next(line.flow for line in lines[place:] if line.flow is not None)
    return number_of(before), number_of(after)


def number_of(flow: Flow) -> int:
    return int(flow.uuid.rpartition("-")[2])


def missing_between(numbers: list[int], first: int, last: int) -> int:
    """How many numbers from the first to the last did not come."""
    came = bisect_right(numbers, last) - bisect_left(numbers, first)
    return last - first + 1 - came


def test_flows_of_an_agent_that_was_killed_come_back_with_the_gap_told(start_agent):
    agent = start_agent(rate=200)
    with Listening(agent.address) as listening:
        listening.wait_until(lambda: len(listening.flows) > 400, 20)
        agent.kill()
        before = len(listening.flows)
        start_agent(address=agent.address, node=agent.node, rate=200)
        listening.wait_until(lambda: len(listening.flows) > before + 100, 20)
        listening.wait_until(lambda: bool(listening.losses), 5)
    assert listening.lost()["stream-gap"] > 0
    assert listening.stream.counts.gaps == 1
    assert listening.stream.counts.reconnects.total() >= 1


def test_an_agent_that_hangs_is_noticed_and_its_flows_come_back(start_agent):
    agent = start_agent(rate=200, count=200_000)
    with Listening(agent.address, check_seconds=2.0, check_timeout_seconds=1.0) as listening:
        listening.wait_until(lambda: len(listening.flows) > 400, 20)
        agent.hang()
        listening.wait_until(lambda: listening.stream.counts.reconnects["silent"] == 1, 20)
        agent.go_on()
        before = len(listening.flows)
        listening.wait_until(lambda: len(listening.flows) > before + 100, 20)
    numbers = listening.numbers("worker-1")
    # Hubble writes what was due meanwhile in one go, which its ring may not hold.
    assert len(set(numbers)) == len(numbers)
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert missing == 0 or sum(listening.lost().values()) > 0


def without_empty(line):
    """Behind a mask that names fields of them, addresses and endpoints are there, if but empty."""
    members = ("IP", "source", "destination")
    kept = {key: value for key, value in line["flow"].items() if value or key not in members}
    return line | {"flow": kept}
