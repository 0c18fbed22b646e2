"""What is held of distinct traffic is bounded; what is refused is counted and told."""

from __future__ import annotations

from typing import Any

import pytest
from tests.attempt.test_weights import aggregated
from tests.builders import L7, START, as_service, flow, lost, pod, world
from tests.connections import tcp
from tests.refusals import denied
from tests.running import Run, pipeline, run

from hubblewatch.attempt import assembly as attempt_assembly
from hubblewatch.attempt.assembly import Assembly, AssemblySettings
from hubblewatch.attempt.intake import Intake
from hubblewatch.flow.decode import decode_lines
from hubblewatch.pipeline import MAX_LOSSES
from hubblewatch.window.closed import WindowRecord

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
DB = pod("data/db-0", node="node-b", kind="StatefulSet")
BOUND = 50
SHARE = 10
"""What one of five windows may take of that."""


def knocks(number: int, at: float = 0.0, first: int = 0, **what: Any) -> list[bytes]:
    """SYNs of so many strangers to one pod, each from an address of its own."""
    what = {"flags": "SYN", "point": "TO_ENDPOINT", "is_reply": False} | what
    return [
        flow(world(f"198.51.{n // 250}.{n % 250 + 1}"), CART, at=at + n % 100 / 100, **what)
        for n in range(first, first + number)
    ]


def intake(lines: list[bytes], **settings: int) -> tuple[Assembly, Intake]:
    """The open window that lines of one minute lead to."""
    assembly = Assembly(AssemblySettings(**settings), lambda *_: None)
    assembly.wake = START * 2
    assembly.take(iter(decode_lines(lines, lambda _: None, "lines", 1)))
    (window,) = assembly.windows.values()
    return assembly, window


def shares(found: Run) -> list[float]:
    return [round(closed.closing.completeness.share, 3) for closed in found.closed]


def refused(found: Run) -> int:
    return found.pipeline.counts.uncounted["connection-table"]


def outbound(found: Run) -> list[WindowRecord]:
    return [window for window in found.windows if window.direction == "outbound"]


def test_with_the_defaults_a_fifth_of_the_table_is_for_one_window() -> None:
    assert AssemblySettings().share == 200_000
    assert AssemblySettings(max_connections=BOUND).share == SHARE


def test_beyond_a_windows_share_nothing_begins_and_the_window_says_so() -> None:
    found = run(knocks(4 * SHARE), max_connections=BOUND)
    (window,) = found.windows
    assert window.attempts == found.pipeline.connections == SHARE
    assert refused(found) == 3 * SHARE
    assert shares(found) == [0.25]
    closing = found.closed[0].closing
    assert closing.lost == {("", "connection-table"): 3 * SHARE}
    assert closing.completeness.lost == 3 * SHARE
    assert not closing.is_complete


def test_up_to_its_share_a_window_is_complete() -> None:
    found = run(knocks(SHARE), max_connections=BOUND)
    assert (shares(found), refused(found)) == ([1], 0)


def test_a_flood_leaves_the_windows_after_it_their_room() -> None:
    lines = [line for minute in range(3) for line in knocks(200, 60 * minute, 1_000 * minute)]
    for minute in range(3, 9):
        lines += tcp(CART, DB, at=60 * minute, from_port=41_000 + minute)
    found = run(lines, max_connections=BOUND)
    assert shares(found) == [0.05] * 3 + [1] * 6
    assert [window.attempts for window in outbound(found)] == [1] * 6


def test_forgotten_connections_give_their_room_back() -> None:
    lines = [line for minute in range(40) for line in knocks(SHARE, 60 * minute, 1_000 * minute)]
    found = run(lines, max_connections=BOUND)
    assert refused(found) == 0
    assert [window.attempts for window in found.windows] == [SHARE] * 40


def test_connections_that_are_kept_alive_fill_the_table_and_no_more() -> None:
    driven = pipeline(max_connections=BOUND)
    for minute in range(20):
        kept = [
            line
            for since in range(minute + 1)
            for line in knocks(SHARE, 60 * minute, 1_000 * since)
        ]
        driven.take(decode_lines(kept, lambda _: None, "lines", 1))
        assert driven.connections <= BOUND
    assert driven.connections == BOUND


def test_five_tuples_that_begin_again_take_room_as_well() -> None:
    lines = [line for begin in range(0, 600, 121) for line in knocks(SHARE, begin)]
    settings = {"size": 600, "idle": 120, "max_connections": 4 * 3 * SHARE}
    assembly, window = intake(lines, **settings)
    assert len(assembly) == SHARE
    assert len(window.connections) == 3 * SHARE
    assert window.refused == 2 * SHARE


def test_what_is_known_goes_on_where_there_is_no_room() -> None:
    lines = tcp(CART, DB, at=1)[:1]
    lines += knocks(9 * SHARE, 2)
    lines += denied(CART, DB, at=5, port=8_080, retransmissions=0, policy="no-db")
    full, free = run(lines, max_connections=BOUND), run(lines)
    assert refused(full) > 0
    assert [(w.attempts, w.denied) for w in outbound(full)] == [(1, 1)]
    assert [(w.attempts, w.denied) for w in outbound(free)] == [(1, 1)]


def test_below_the_bound_the_order_of_arrival_changes_nothing() -> None:
    lines = knocks(SHARE // 2, 59) + tcp(CART, DB, at=61)
    there, back = run(lines, max_connections=BOUND), run(lines[::-1], max_connections=BOUND)
    assert there.windows == back.windows
    assert refused(there) == refused(back) == 0


def test_answers_under_a_services_port_are_bounded() -> None:
    answers = [
        as_service(line, "10.96.0.50", 80)
        for number in range(3)
        for line in [
            flow(DB, pod(f"shop/cart-{n}"), at=1, ports=(8_080, 50_000 + n), flags="SYN ACK",
                 point="TO_ENDPOINT", is_reply=True)
            for n in range(number * SHARE, (number + 1) * SHARE)
        ]
    ]  # fmt: skip
    _, window = intake(answers + answers, max_connections=BOUND)
    assert len(window.translated) == SHARE
    assert window.refused == 4 * SHARE


def test_lines_that_stand_for_many_flows_are_bounded() -> None:
    lines = [aggregated(number / 10, egress=3) for number in range(3 * SHARE)]
    found = run(lines, max_connections=BOUND)
    # The connection takes a place, too.
    assert [window.attempts for window in found.windows] == [3 * (SHARE - 1)]
    assert refused(found) == 2 * SHARE + 1
    assert shares(found) != [1]


def test_a_connection_whose_weight_had_no_room_is_still_one() -> None:
    weighed = aggregated(5, egress=7, ports=(41_000, 8_080))
    found = run([*tcp(CART, DB, at=1), *knocks(SHARE, 2), weighed], max_connections=BOUND)
    assert [window.attempts for window in outbound(found)] == [1]


def test_responders_behind_the_proxy_are_bounded() -> None:
    lines = [
        flow(CART, world(f"198.51.100.{n}"), at=1, ports=(41_000, 53), protocol="UDP",
             point="TO_PROXY", is_reply=False)
        for n in range(1, 10 * SHARE)
    ]  # fmt: skip
    assembly, window = intake(lines, max_connections=BOUND)
    assert len(window.proxied) <= SHARE + 1
    for port in range(100):
        assembly.note_proxied(window.number, ("10.0.0.1", port))
    assert len(window.proxied) <= SHARE + 1
    assert window.refused == 9 * SHARE - 1 + 100


def test_reports_of_loss_beyond_their_bound_add_up() -> None:
    number = MAX_LOSSES + 500
    found = run([lost(30 + each / number, count=1) for each in range(number)] + tcp(at=50))
    assert found.closed[0].closing.completeness.lost == number
    assert found.pipeline.counts.lost["HUBBLE_RING_BUFFER"] == number


def test_dns_messages_beyond_their_bound_are_counted_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_assembly, "MAX_LOOKUPS", 3)
    udp: dict[str, Any] = {"protocol": "UDP", "ports": (41_000, 53), "kind": L7}
    lines = [
        flow(CART, DB, at=at, l7={"type": "REQUEST", "dns": {"query": f"n{at}.example."}}, **udp)
        for at in range(5)
    ]
    found = run(lines)
    assert found.windows[0].dns_queries == 3
    assert found.pipeline.counts.uncounted == {"look-ups": 2}
