from __future__ import annotations

from tests.builders import flow

from hubblewatch.flow.decode import decode_line
from hubblewatch.flow.schema import Flow, Line
from hubblewatch.source.hubble.remembered import Remembered, flow_key


def flow_of(line: bytes) -> Flow:
    decoded = decode_line(line)
    assert isinstance(decoded, Line)
    assert decoded.flow is not None
    return decoded.flow


def test_memory_is_bounded_and_keeps_the_newest_half() -> None:
    remembered = Remembered(max_remembered=100, memory_ns=10**18)
    for key in range(1_000):
        remembered.add(key)
        remembered.advance(key + 1)
        assert len(remembered) <= 101
    assert all(key in remembered for key in range(950, 1_000))


def test_everything_from_the_horizon_on_is_remembered() -> None:
    remembered = Remembered(max_remembered=10**6, memory_ns=100)
    for time in range(1, 1_000):
        remembered.add(time)
        remembered.advance(time)
        assert all(key in remembered for key in range(max(1, remembered.horizon_ns + 1), time + 1))
    assert remembered.horizon_ns > 800


def test_nothing_is_beyond_the_horizon_before_something_is_forgotten() -> None:
    remembered = Remembered(max_remembered=10**6, memory_ns=100)
    for time in (1, 40, 80, 120):
        remembered.add(time)
        remembered.advance(time)
        if 1 not in remembered:
            break
        assert remembered.horizon_ns == 0


def test_flows_without_uuid_are_told_apart_by_all_that_they_say() -> None:
    same = flow(uuid="", flags="SYN")
    others = [
        flow(uuid="", flags="SYN", at=1.0),
        flow(uuid="", flags="ACK"),
        flow(uuid="", flags="SYN", ports=(41_001, 8_080)),
        flow(uuid="", flags="SYN", verdict="DROPPED"),
        flow(uuid="", flags="SYN", kind=5),
        flow(uuid="", protocol="ICMPv4", ports=(8, 0)),
    ]
    keys = {flow_key(flow_of(line), "node-a") for line in [same, *others]}
    assert len(keys) == 1 + len(others)
    assert flow_key(flow_of(same), "node-a") == flow_key(flow_of(same), "node-a")
    assert flow_key(flow_of(same), "node-a") != flow_key(flow_of(same), "node-b")
