"""Event times far ahead are held until the stream follows or refutes them."""

from __future__ import annotations

from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Flow, Line
from hubblewatch.window.jump_guard import CONFIRMATIONS, MAX_JUMP_SECONDS, JumpGuard

NEWEST = 1_000_000
AHEAD = NEWEST + MAX_JUMP_SECONDS + 1


def line(number: int = 0) -> Line:
    return Line(flow=Flow(time=str(number), node_name="node-a"))


def test_a_flow_within_the_bound_goes_on_at_once() -> None:
    guard = JumpGuard(lambda _: None)
    one = line()
    assert guard.admit(one, NEWEST + MAX_JUMP_SECONDS, NEWEST) == [one]


def test_the_first_flow_of_a_stream_goes_on_whatever_its_time() -> None:
    one = line()
    assert JumpGuard(lambda _: None).admit(one, AHEAD, None) == [one]


def test_a_jump_that_the_stream_follows_goes_on_in_order() -> None:
    guard = JumpGuard(lambda _: None)
    lines = [line(number) for number in range(CONFIRMATIONS)]
    admitted = [guard.admit(one, AHEAD, NEWEST) for one in lines]
    assert admitted[:-1] == [[]] * (CONFIRMATIONS - 1)
    assert admitted[-1] == lines
    assert guard.release() == []


def test_a_flow_that_is_not_ahead_refutes_those_held() -> None:
    rejects: list[Reject] = []
    guard = JumpGuard(rejects.append)
    guard.admit(line(7), AHEAD, NEWEST)
    one = line()
    assert guard.admit(one, NEWEST, NEWEST) == [one]
    assert [(reject.reason, reject.place) for reject in rejects] == [
        (RejectReason.AHEAD, "node node-a")
    ]
    assert guard.release() == []


def test_at_the_end_of_the_stream_what_is_held_goes_on() -> None:
    guard = JumpGuard(lambda _: None)
    one = line()
    guard.admit(one, AHEAD, NEWEST)
    assert guard.release() == [one]
