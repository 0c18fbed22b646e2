"""What happens to lines between the nodes and the recording."""

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hubblewatch.simulate.agenda import Agenda
from tests.simulate.recording import nanoseconds, recording


def times_of(lines: list[bytes]) -> list[int]:
    return [nanoseconds(json.loads(line)["time"]) for line in lines]


def test_duplicate_writes_each_flow_twice() -> None:
    plain = Counter(recording().lines)
    twice = Counter(recording(duplicate=True).lines)
    assert twice == Counter({line: 2 * count for line, count in plain.items()})


def test_disorder_keeps_every_line_and_its_bound() -> None:
    shuffled = recording(disorder_seconds=3)
    assert Counter(shuffled.lines) == Counter(recording().lines)
    newest = 0
    late = 0
    for time in times_of(shuffled.lines):
        newest = max(newest, time)
        late = max(late, newest - time)
    assert 2e9 < late <= 3.01e9


def test_ring_buffer_loss_reports_exactly_what_is_missing() -> None:
    lossy = recording("ring-buffer-loss").lines
    lost = sum(
        int(json.loads(line)["lost_events"]["num_events_lost"])
        for line in lossy
        if b'"lost_events"' in line
    )
    missing = Counter(recording().lines) - Counter(lossy)
    assert lost == sum(missing.values()) > 0


def test_a_lost_node_falls_silent_and_relay_says_so() -> None:
    made = recording("node-loss")
    errors = [json.loads(line) for line in made.lines if b"NODE_ERROR" in line]
    (error,) = errors
    (name,) = error["node_status"]["node_names"]
    died = made.label().start_ns
    times = [nanoseconds(flow["time"]) for flow in made.flows() if flow["node_name"] == name]
    assert max(times) < died


def test_late_lines_arrive_one_to_four_minutes_late() -> None:
    made = recording("late-lines:at=0", minutes=6)
    newest = 0
    lags = []
    for time in times_of(made.lines):
        newest = max(newest, time)
        lags.append(newest - time)
    late = [lag for lag in lags if lag > 30e9]
    assert 0.005 < len(late) / len(lags) < 0.04
    assert max(late) <= 240.1e9


def test_exporter_restart_repeats_the_overlap_and_loses_nothing() -> None:
    restarted = Counter(recording("exporter-restart").lines)
    plain = Counter(recording().lines)
    assert not plain - restarted
    start = recording("exporter-restart").label().start_ns
    for line in restarted - plain:
        assert start - 5e9 <= nanoseconds(json.loads(line)["time"]) < start


def test_heartbeats_come_each_second_and_keep_their_promise() -> None:
    lines = [json.loads(line) for line in recording(heartbeats=True, disorder_seconds=2).lines]
    beats = [line["heartbeat"] for line in lines if "heartbeat" in line]
    assert [beat["sequence"] for beat in beats] == list(range(1, 181))
    watermark = 0
    for line in lines:
        if "heartbeat" in line:
            watermark = nanoseconds(line["heartbeat"]["watermark"])
        elif "flow" in line:
            assert nanoseconds(line["time"]) >= watermark


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=30_000_000_000), max_size=60))
def test_an_agenda_gives_every_event_once_in_time_order(times: list[int]) -> None:
    agenda = Agenda(0)
    agenda.follow(iter([(time, 0, str(number)) for number, time in enumerate(sorted(times))]), 0)
    given_back = [event[0] for event in agenda.until(10_000_000_000)]
    given_back.extend(event[0] for event in agenda.remaining())
    assert given_back == sorted(times)
