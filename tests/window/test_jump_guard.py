"""One wrong clock does not close the windows of today; a stream that jumps is believed."""

from __future__ import annotations

import json

import pytest
from tests.builders import flow, flow_dict, heartbeat, lost, pod
from tests.connections import datagrams, tcp
from tests.running import Run, run, windows

from hubblewatch.flow.reject import RejectReason

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
OTHER = pod("shop/web-0", node="node-b")
HOUR = 3_600.0


def minutes(
    *numbers: int, source: str = "shop/cart-7d9f8c6b5-x2x7z", node: str = "node-a"
) -> list[bytes]:
    """One attempt in each minute."""
    client = pod(source, node=node)
    return [
        line
        for number in numbers
        for line in datagrams(
            client, at=number * 60 + 1, from_port=40_000 + round(number * 10) % 9_000
        )
    ]


def tcp_at(minute: float, node: str = "node-a") -> list[bytes]:
    """A first packet, each from another port."""
    client = pod("shop/cart-7d9f8c6b5-x2x7z", node=node)
    port = 20_000 + round(minute * 10) % 40_000
    return [flow(client, at=minute * 60, flags="SYN", ports=(port, 8_080))]


def at_year(year: int, number: int = 0) -> bytes:
    time = f"{year}-01-01T00:00:00.{number:03d}Z"
    content = flow_dict(CART, flags="SYN", ports=(50_000 + number, 80), uuid=f"{number}")
    return json.dumps({"flow": content | {"time": time}, "time": time}).encode()


def reasons(found: Run) -> list[RejectReason]:
    return [reject.reason for reject in found.rejects]


@pytest.mark.parametrize("place", [1, 4, 20, 60])
def test_one_line_from_far_ahead_closes_nothing_and_is_refused(place: int) -> None:
    lines = minutes(*range(10))
    found = run([*lines[:place], at_year(2099), *lines[place:]])
    assert found.windows == windows(lines)
    assert reasons(found) == [RejectReason.AHEAD]
    assert found.pipeline.counts.late == 0


def test_the_first_line_may_be_the_one_from_far_ahead() -> None:
    lines = minutes(*range(10))
    found = run([at_year(2099), *lines])
    assert found.windows == windows(lines)
    assert reasons(found) == [RejectReason.AHEAD]


def test_a_first_flow_counts_though_a_heartbeat_comes_before_the_second_one() -> None:
    first, second = minutes(0)[:1], minutes(0.5)[:1]
    found = run([*first, heartbeat(1, -10, at=0), *second, *(heartbeat(n, n) for n in range(64))])
    assert [w.attempts for w in found.windows] == [2]
    assert found.rejects == []


def test_a_first_line_from_far_ahead_may_come_twice() -> None:
    lines = minutes(*range(10))
    found = run([at_year(2099), at_year(2099), *lines])
    assert found.windows == windows(lines)
    assert reasons(found) == [RejectReason.AHEAD] * 2


def test_the_last_line_may_be_the_one_from_far_ahead() -> None:
    lines = minutes(*range(10))
    found = run([*lines, at_year(2099)])
    assert found.windows == windows(lines)
    assert reasons(found) == [RejectReason.AHEAD]


def test_a_clock_that_is_wrong_all_the_time_closes_nothing() -> None:
    lines = minutes(*range(10))
    mixed = [line for number, good in enumerate(lines) for line in (good, at_year(2099, number))]
    found = run(mixed)
    assert found.windows == windows(lines)
    assert set(reasons(found)) == {RejectReason.AHEAD}
    assert len(found.rejects) == len(lines)


def test_many_lines_of_one_wrong_clock_in_a_row_close_nothing_among_several_nodes() -> None:
    lines = minutes(*range(5)) + minutes(*range(5), source="shop/web-0", node="node-b")
    lines.sort(key=lambda line: json.loads(line)["time"])
    wrong = [at_year(2099, number) for number in range(300)]
    found = run([*lines[:24], *wrong, *lines[24:]])
    assert found.windows == windows(lines)
    assert len(found.rejects) == 300


def test_a_pause_of_hours_is_believed_when_the_stream_goes_on() -> None:
    lines = minutes(0, 1, 2) + minutes(300, 301, 302)
    found = run(lines)
    assert [w.start[11:16] for w in found.windows] == [
        "08:00", "08:01", "08:02", "13:00", "13:01", "13:02",
    ]  # fmt: skip
    assert found.rejects == []
    assert found.pipeline.counts.late == 0


def test_a_pause_is_believed_of_a_stream_of_several_nodes() -> None:
    def both(*numbers: int) -> list[bytes]:
        one = minutes(*numbers)
        other = minutes(*numbers, source="shop/web-0", node="node-b")
        return [line for pair in zip(one, other, strict=True) for line in pair]

    found = run(both(0, 1, 2) + both(300, 301, 302))
    assert len(found.windows) == 12
    assert found.rejects == []


def test_a_pause_before_the_very_last_line_is_believed() -> None:
    found = run([*minutes(0), *tcp(CART, at=2 * HOUR)[:1]])
    assert [w.start[11:16] for w in found.windows] == ["08:00", "10:00"]


@pytest.mark.parametrize("pause", [0, 120])
@pytest.mark.parametrize("every", [10, 90])
def test_few_lines_an_hour_are_believed_with_and_without_a_pause(pause: int, every: int) -> None:
    """Ten are never within one hour, and where an hour has none, only their order speaks for them.

    The last ones are of no stream that goes on, so the end of this one decides about them.
    """
    first = list(range(12))
    later = [first[-1] + pause + every * number for number in range(1, 1_100)]
    lines = [line for number in first + later for line in tcp_at(number)]
    found = run(lines)
    assert found.rejects == []
    assert sum(window.attempts for window in found.windows) == len(first) + len(later)


def test_few_lines_of_one_node_are_believed_after_several_were_heard() -> None:
    first = [line for n in range(12) for line in tcp_at(n, "node-b" if n % 2 else "node-a")]
    later = [line for n in range(1_100) for line in tcp_at(200 + n / 5)]
    found = run(first + later)
    assert found.rejects == []
    assert sum(window.attempts for window in found.windows) == 12 + 1_100


def test_a_jump_within_the_hour_is_no_jump() -> None:
    assert len(windows(minutes(0) + minutes(59))) == 2


def test_a_jump_back_is_late() -> None:
    found = run(minutes(300, 301, 302) + minutes(0))
    assert len(found.windows) == 3
    assert found.pipeline.counts.late == len(minutes(0))


def test_lines_that_disagree_confirm_nothing() -> None:
    lines = minutes(*range(4))
    wild = [at_year(2030 + number) for number in range(30)]
    found = run([*lines, *wild, *minutes(5)])
    assert found.windows == windows([*lines, *minutes(5)])
    assert len(found.rejects) == 30


def test_a_loss_from_far_ahead_closes_nothing() -> None:
    lines = minutes(*range(3))
    found = run([*lines[:5], lost(80 * 365 * 86_400 / 2), *lines[5:]])
    assert found.windows == windows(lines)
    assert reasons(found) == [RejectReason.AHEAD]


def test_a_loss_from_before_the_first_flow_is_nobodys() -> None:
    lines = minutes(*range(3))
    found = run([lost(-7_200), *lines])
    assert found.windows == windows(lines)
    assert list(found.pipeline.open_windows) == []


def test_one_heartbeat_from_far_ahead_closes_nothing() -> None:
    beats = [heartbeat(number, number) for number in range(200)]
    lines = minutes(0, 1, 2)
    wrong = heartbeat(1, 80 * 365 * 86_400 / 2, exporter="exporter-9")
    found = run([*beats[:60], *lines, wrong, *beats[60:]])
    assert len(found.windows) == 3
    assert found.pipeline.counts.late == 0
    assert reasons(found) == [RejectReason.AHEAD]


def test_a_flow_from_far_ahead_between_heartbeats_is_refused() -> None:
    beats = [heartbeat(number, number) for number in range(200)]
    lines = minutes(0, 1, 2)
    found = run([*beats[:1], *lines, at_year(2099), *lines, *beats[1:]])
    assert len(found.windows) == 3
    assert reasons(found) == [RejectReason.AHEAD]


def test_an_exporter_that_was_away_for_hours_goes_on() -> None:
    before = [
        line for n in range(130) for line in (heartbeat(n, n), *(minutes(1) if n == 70 else ()))
    ]
    after = [
        line
        for n in range(130)
        for line in (heartbeat(n, 5 * HOUR + n), *(minutes(301) if n == 70 else ()))
    ]
    found = run(before + after)
    assert [w.start[11:16] for w in found.windows] == ["08:01", "13:01"]
    assert found.pipeline.counts.late == 0
