"""When windows close: by event time, or by the promises of exporters."""

from __future__ import annotations

import pytest
from tests.builders import START, heartbeat, pod
from tests.connections import datagrams
from tests.running import pipeline, run

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.pipeline import Pipeline
from hubblewatch.window.gaps import Gaps
from hubblewatch.window.watermark import Gap

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")


def attempt(at: float, port: int = 0) -> list[bytes]:
    return datagrams(CART, at=at, from_port=40_000 + (port or round(at) % 20_000), answers=0)


def fed(driven: Pipeline, *lines: bytes) -> list[str]:
    """Begins of the stretches that close when these lines arrive."""
    rejects: list[Reject] = []
    closed = driven.take(decode_lines(lines, rejects.append))
    assert rejects == []
    return [begin(one.closing.start) for one in closed]


def begin(second: int) -> str:
    return f"{second // 3_600 % 24:02d}:{second // 60 % 60:02d}"


@pytest.mark.parametrize(("at", "closes"), [(72.9, []), (73.0, ["08:00"]), (80.0, ["08:00"])])
def test_a_window_closes_when_lateness_and_settling_have_passed(
    at: float, closes: list[str]
) -> None:
    driven = pipeline()
    assert fed(driven, *attempt(1), *attempt(2)) == []
    assert fed(driven, *attempt(at)) == closes


def test_a_line_within_the_lateness_counts() -> None:
    found = run([*attempt(1), *attempt(69), *attempt(59.5)])
    assert [w.attempts for w in found.windows] == [2, 1]
    assert found.pipeline.counts.late == 0


def test_a_line_of_a_closed_window_is_late_and_counted() -> None:
    found = run([*attempt(1), *attempt(75), *attempt(59.5)])
    assert [w.attempts for w in found.windows] == [1, 1]
    assert found.pipeline.counts.late == len(attempt(59.5))


def test_late_lines_show_in_the_next_closing() -> None:
    found = run([*attempt(1), *attempt(75), *attempt(59.5)])
    assert [closed.closing.late for closed in found.closed] == [0, len(attempt(59.5))]


def test_lines_late_at_the_very_beginning_count() -> None:
    found = run([*attempt(65), *attempt(58)])
    assert [w.attempts for w in found.windows] == [1, 1]


def test_empty_windows_between_close_too() -> None:
    found = run([*attempt(1), *attempt(2), *attempt(301)])
    assert [begin(closed.closing.start) for closed in found.closed] == [
        "08:00", "08:01", "08:02", "08:03", "08:04", "08:05",
    ]  # fmt: skip
    assert [len(closed.closing.windows) for closed in found.closed] == [1, 0, 0, 0, 0, 1]


def test_a_pause_of_hours_is_not_closed_minute_by_minute() -> None:
    lines = [line for at in range(0, 120, 2) for line in attempt(at)]
    lines += [line for at in range(36_000, 36_120, 2) for line in attempt(at)]
    assert len(run(lines).closed) == 4


def test_nothing_closes_of_an_empty_stream() -> None:
    assert run([]).closed == []


def test_heartbeats_close_quiet_windows() -> None:
    driven = pipeline()
    assert fed(driven, heartbeat(1, 0), *attempt(1)) == []
    assert fed(driven, *(heartbeat(n, n) for n in range(2, 64))) == ["08:00"]
    assert fed(driven, *(heartbeat(n, n) for n in range(64, 184))) == ["08:01", "08:02"]


def test_with_heartbeats_event_times_close_nothing() -> None:
    driven = pipeline()
    assert fed(driven, heartbeat(1, 0), *attempt(1), *attempt(500)) == []
    assert fed(driven, *attempt(2)) == []


def test_of_two_exporters_the_lower_watermark_counts() -> None:
    driven = pipeline()
    fed(driven, heartbeat(1, 0), heartbeat(1, 0, "exporter-1"), *attempt(1))
    assert fed(driven, *(heartbeat(n, n) for n in range(2, 60))) == []
    assert fed(driven, heartbeat(2, 62, "exporter-1")) == []
    assert fed(driven, heartbeat(60, 90)) == []
    assert fed(driven, heartbeat(3, 63, "exporter-1")) == ["08:00"]


def test_a_dead_exporter_holds_the_windows_up_for_a_minute_only() -> None:
    driven = pipeline()
    fed(driven, heartbeat(1, 0), heartbeat(1, 0, "exporter-1"), *attempt(1))
    assert fed(driven, *(heartbeat(n, n) for n in range(2, 61))) == []
    assert fed(driven, *(heartbeat(n, n) for n in range(61, 64))) == ["08:00"]


def test_an_exporter_that_joins_behind_reopens_nothing() -> None:
    driven = pipeline()
    fed(driven, *(heartbeat(n, n) for n in range(130)), *attempt(131))
    assert fed(driven, heartbeat(1, 100, "exporter-1")) == []
    assert driven.closed_through == START // 60 + 1


def test_a_shipper_without_heartbeats_goes_on_where_an_exporter_ended() -> None:
    driven = pipeline()
    fed(driven, *(heartbeat(n, n) for n in range(70)), *attempt(70))
    day = 86_400
    closed = fed(driven, *(line for at in range(day, day + 3 * 3_600, 20) for line in attempt(at)))
    assert closed[:2] == ["08:01", "08:00"]
    assert len(closed) > 170
    assert len(list(driven.open_windows)) < 4


def test_flows_of_a_wrong_clock_for_hours_close_nothing_while_an_exporter_beats() -> None:
    driven = pipeline()
    fed(driven, heartbeat(0, 0), *attempt(1))
    lines = [
        line
        for n in range(1, 60)
        for line in (heartbeat(n, n), *(one for k in range(20) for one in attempt(n * 600 + k)))
    ]
    assert fed(driven, *lines) == []


def shares(*lines: bytes) -> dict[str, float]:
    """Completeness by the begin of the stretch."""
    return {
        begin(closed.closing.start): round(closed.closing.completeness.share, 3)
        for closed in run(lines).closed
    }


def test_an_unbroken_sequence_is_complete() -> None:
    beats = [heartbeat(n, n) for n in range(130)]
    assert shares(*beats[:30], *attempt(1), *attempt(61), *beats[30:]) == {"08:00": 1, "08:01": 1}


def test_missing_heartbeats_leave_their_window_incomplete() -> None:
    beats = [heartbeat(n, n) for n in range(190) if not 70 <= n < 100]
    found = shares(*beats[:9], *attempt(1), *beats[9:69], *attempt(69), *beats[69:], *attempt(130))
    assert found["08:00"] == 1
    assert found["08:01"] == pytest.approx(0.5, abs=0.02)
    assert found["08:02"] == 1


def test_a_gap_is_spread_over_the_windows_it_covers() -> None:
    beats = [heartbeat(n, n - 10, at=n) for n in range(260) if not 30 <= n < 210]
    found = shares(*beats[:9], *attempt(1), *beats[9:])
    assert found["08:00"] == pytest.approx(0.5, abs=0.02)
    assert found["08:01"] == pytest.approx(0, abs=0.02)
    assert found["08:02"] == pytest.approx(0, abs=0.02)
    assert found["08:03"] == pytest.approx(0.5, abs=0.02)


def test_a_gap_lies_where_the_flows_between_its_heartbeats_are_missing() -> None:
    beats = [heartbeat(n, n - 10, at=n) for n in range(200) if not 60 < n < 80]
    found = shares(*beats[:9], *attempt(1), *beats[9:])
    assert found == {"08:00": 1, "08:01": pytest.approx(1 - 19 / 60, abs=0.001), "08:02": 1}


def test_a_pause_leaves_no_gaps_behind() -> None:
    gaps = Gaps(60)
    gaps.add(Gap(7_199, 600, 7_800), 1, 9)
    assert gaps.share(100) > 0.99
    gaps.forget(130)
    assert not any(map(gaps.share, range(131)))


def test_of_two_exporters_one_ones_gap_is_half_the_stream() -> None:
    lines = [heartbeat(n, n) for n in range(130) if not 10 <= n < 40]
    other = [heartbeat(n, n, "exporter-1") for n in range(130)]
    merged = [line for pair in zip(other, [*lines, *[b""] * 30], strict=True) for line in pair]
    found = shares(*merged[:4], *attempt(1), *merged[4:])
    assert found["08:00"] == pytest.approx(0.75, abs=0.02)


def test_a_restarted_exporter_shows_no_gap() -> None:
    beats = [heartbeat(n, n) for n in range(40)] + [heartbeat(n, 40 + n) for n in range(90)]
    assert shares(*beats[:9], *attempt(1), *beats[9:])["08:00"] == 1


@pytest.mark.parametrize(("first", "share"), [(1, 0.5), (2, 1.0)])
def test_what_a_restarted_exporter_did_not_see_is_missing_unless_it_goes_on(
    first: int, share: float
) -> None:
    before = [heartbeat(n + 1, n - 10, at=n) for n in range(70)]
    after = [heartbeat(n - 100 + first, n - 10, at=n) for n in range(100, 200)]
    found = shares(*before[:20], *attempt(15), *before[20:], *attempt(69), *after)
    assert found == {"08:00": 1, "08:01": pytest.approx(share), "08:02": 1}


def test_heartbeats_told_again_show_no_gap() -> None:
    beats = [heartbeat(n, n) for n in range(130)]
    again = [*beats[:50], beats[20], beats[33], *beats[50:]]
    assert shares(*again[:9], *attempt(1), *again[9:])["08:00"] == 1
