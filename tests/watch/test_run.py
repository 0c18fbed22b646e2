"""The watch: flows of a live Hubble to alerts, over restarts and breaks."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.source.hubble.observer import Observer
from tests.watch.watching import Clock, Watching, burst, quiet, served

from hubblewatch.settings import ServeSettings
from hubblewatch.watch.serving import ServedWatch


@pytest.fixture
def observer() -> Iterator[Observer]:
    started = Observer().start()
    yield started
    started.stop()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def watched(
    observer: Observer,
    lines: list[bytes],
    begin: float,
    end: float,
    last: int,
    state: Path | None = None,
) -> Watching:
    """Watch from one second to another, until the minute ``last`` is closed."""
    served(observer, lines, begin)
    clock = Clock(begin)
    with Watching(observer, clock, state) as watching:
        watching.until(lambda: watching.watch.stream.counts.connected)
        newest = served(observer, lines, end)
        watching.until(lambda: watching.watch.pipeline.newest == newest)
        clock.at = end
        watching.until(lambda: last in watching.windows)
    return watching


def test_denials_of_a_live_hubble_become_an_alert(observer: Observer) -> None:
    watching = watched(observer, [*quiet(0, 1), *burst(1)], 0, 200, last=1)
    assert watching.steps == [("policy-denials", "open")]


def test_windows_of_a_quiet_cluster_close_by_the_clock(observer: Observer) -> None:
    watching = watched(observer, quiet(0), 0, 300, last=3)
    assert watching.windows == [0, 1, 2, 3]


def test_no_window_closes_while_hubble_is_away(observer: Observer) -> None:
    clock = Clock(0)
    with Watching(observer, clock) as watching:
        watching.until(lambda: watching.watch.stream.counts.connected)
        newest = served(observer, quiet(0))
        watching.until(lambda: watching.watch.pipeline.newest == newest)
        clock.at = 100
        watching.until(lambda: watching.windows == [0])
        observer.stop()
        watching.until(lambda: not watching.watch.stream.counts.connected)
        clock.at = 400
        watching.until(lambda: sum(watching.watch.stream.counts.reconnects.values()) >= 3)
        assert watching.windows == [0]
        served(observer, quiet(1, 2))
        observer.start()
        watching.until(lambda: 5 in watching.windows)
    assert watching.watch.pipeline.counts.late == 0
    attempts = [sum(closed.closing.attempts.values()) for closed in watching.closed]
    assert attempts == [30, 30, 30, 0, 0, 0]


def test_a_clock_that_jumps_ahead_for_a_moment_closes_nothing(observer: Observer) -> None:
    clock = Clock(0)
    with Watching(observer, clock) as watching:
        watching.until(lambda: watching.watch.stream.counts.connected)
        served(observer, quiet(0))
        watching.until(lambda: watching.watch.pipeline.newest is not None)
        clock.ahead = 21_600
        watching.until(lambda: watching.watch.stream.complete_through_ns > clock() - 60 * 10**9)
        time.sleep(0.3)
        clock.ahead = 0
        clock.at = 60
        newest = served(observer, quiet(1))
        watching.until(lambda: watching.watch.pipeline.newest == newest)
        clock.at = 200
        watching.until(lambda: 1 in watching.windows)
    assert watching.watch.pipeline.counts.late == 0
    assert watching.windows[:2] == [0, 1]


def test_a_restart_forgets_no_incident_and_no_baseline(observer: Observer, state: Path) -> None:
    lines = [*quiet(*range(4)), *burst(2)]
    first = watched(observer, lines, 0, 200, 2, state)
    assert first.steps == [("policy-denials", "open")]
    second = watched(observer, lines, 210, 300, 3, state)
    # What was judged is not judged again, and the incident that goes on is not opened again.
    assert second.windows == [3]
    assert second.steps == []
    memory = second.watch.pipeline.memory
    assert memory.stream.first == first.watch.pipeline.memory.stream.first
    assert memory.stream.closings == first.watch.pipeline.memory.stream.closings + 1
    assert len(second.watch.pipeline.incidents.open) == 1


def test_windows_cut_by_a_restart_count_as_if_there_had_been_none(
    observer: Observer, state: Path
) -> None:
    lines = quiet(*range(6))
    cut = watched(observer, lines, 0, 170, 1, state)
    cut_again = watched(observer, lines, 215, 360, 4, state)
    whole = watched(Observer().start(), lines, 0, 360, 4)
    assert [*cut.windows, *cut_again.windows] == whole.windows == [0, 1, 2, 3, 4]
    judged = [closed.closing for part in (cut, cut_again) for closed in part.closed]
    assert [c.attempts for c in judged] == [closed.closing.attempts for closed in whole.closed]
    assert [c.completeness.share for c in judged] == [1.0] * 5


def test_what_hubble_no_longer_has_after_a_restart_is_a_gap(
    observer: Observer, state: Path
) -> None:
    watched(observer, quiet(0, 1, 2), 0, 200, 2, state)
    observer.ring.clear()
    second = watched(observer, quiet(5, 6), 310, 450, 6, state)
    shares = {
        minute: closed.closing.completeness.share
        for minute, closed in zip(second.windows, second.closed, strict=True)
    }
    assert shares[3] < 0.2
    assert shares[4] < 0.2
    assert shares[6] == 1.0
    assert second.watch.stream.counts.gaps == 1


def test_windows_too_long_ago_are_left_out_and_told(
    observer: Observer, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched(observer, quiet(0, 1), 0, 200, 1, state)
    observer.ring.clear()
    second = watched(observer, quiet(115, 116), 6_990, 7_100, 116, state)
    assert second.windows[0] == 102
    assert second.watch.beginning.unseen_windows == 99
    assert "were not watched" in caplog.text


def test_a_node_that_was_away_at_the_stop_is_asked_for_anew(
    observer: Observer, state: Path
) -> None:
    served(observer, quiet(0, 1))
    clock = Clock(0)
    with Watching(observer, clock, state) as watching:
        watching.until(lambda: watching.watch.stream.counts.flows > 0)
        watching.watch.pipeline.memory.stream.unavailable = ["node-a"]
        clock.at = 150
        watching.until(lambda: 0 in watching.windows)
    with Watching(observer, Clock(160), state) as again:
        assert again.watch.pipeline.memory.stream.unavailable == []


def asked(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        body = answer.read()
    return json.loads(body) if path != "/metrics" else body.decode()


def test_alerts_metrics_and_health_are_served_also_those_from_before(
    observer: Observer, state: Path
) -> None:
    lines = [*quiet(0, 1, 2), *burst(1)]
    watched(observer, lines, 0, 150, 1, state)
    shown: list[ServedWatch] = []

    def serving(watch: Any) -> list[ServedWatch]:
        shown.append(ServedWatch(watch, ServeSettings(port=0)))
        return shown

    served(observer, lines)
    clock = Clock(181)
    with Watching(observer, clock, state, serving) as watching, shown[0].served():
        watching.until(lambda: watching.watch.stream.counts.connected)
        alerts = asked(shown[0].address, "/api/alerts")["alerts"]
        assert [alert["detector"] for alert in alerts] == ["policy-denials"]
        clock.at = 240
        watching.until(lambda: 2 in watching.windows)
        watching.until(
            lambda: "hubblewatch_source_connected 1.0" in asked(shown[0].address, "/metrics")
        )
        metrics = asked(shown[0].address, "/metrics")
        assert "hubblewatch_windows_closed_total 1.0" in metrics
        assert "hubblewatch_incidents_open 1.0" in metrics
        assert asked(shown[0].address, "/healthz")["healthy"]
