"""Health: red only with lag and without progress."""

from __future__ import annotations

from tests.serve.building import HandClock

from hubblewatch.serve import Health


def health() -> tuple[Health, HandClock]:
    clock = HandClock()
    return Health(clock, stuck_after_seconds=45), clock


def test_a_service_without_components_is_healthy() -> None:
    assert health()[0].report() == {"healthy": True, "components": {}}


def test_lag_without_progress_turns_red_after_the_limit() -> None:
    judged, clock = health()
    judged.lag("partition-3", 120)
    clock.advance(44.9)
    assert judged.report()["healthy"]
    clock.advance(0.1)
    assert not judged.report()["healthy"]


def test_the_report_names_the_component_that_is_stuck() -> None:
    judged, clock = health()
    judged.lag("partition-3", 120)
    judged.progress("partition-4")
    clock.advance(60)
    assert judged.report()["components"] == {
        "partition-3": {"healthy": False, "lag": 120, "seconds_without_progress": 60.0},
        "partition-4": {"healthy": True, "lag": 0.0, "seconds_without_progress": 60.0},
    }


def test_the_report_says_what_fails_until_nothing_does() -> None:
    judged, _ = health()
    judged.explain("partition-3", "refused; grant it")
    judged.progress("partition-3")
    assert judged.report()["components"]["partition-3"]["reason"] == "refused; grant it"
    judged.explain("partition-3", "")
    assert "reason" not in judged.report()["components"]["partition-3"]


def test_progress_turns_it_green_again() -> None:
    judged, clock = health()
    judged.lag("detect", 5)
    clock.advance(60)
    judged.progress("detect")
    assert judged.report()["healthy"]


def test_progress_with_lasting_lag_is_healthy() -> None:
    judged, clock = health()
    for _ in range(10):
        judged.lag("detect", 1_000)
        judged.progress("detect")
        clock.advance(40)
    assert judged.report()["healthy"]


def test_idleness_without_lag_is_healthy_for_ever() -> None:
    judged, clock = health()
    judged.progress("detect")
    clock.advance(100_000)
    assert judged.report()["healthy"]


def test_lag_after_long_idleness_gets_its_full_time() -> None:
    judged, clock = health()
    judged.progress("detect")
    clock.advance(3_600)
    judged.lag("detect", 1)
    assert judged.report()["healthy"]
    clock.advance(45)
    assert not judged.report()["healthy"]


def test_lag_reported_again_does_not_count_as_progress() -> None:
    judged, clock = health()
    for _ in range(6):
        judged.lag("detect", 10)
        clock.advance(10)
    assert not judged.report()["healthy"]


def test_progress_stated_for_the_past_does_not_move_time_back() -> None:
    judged, clock = health()
    judged.lag("detect", 1)
    judged.progress("detect", at=clock.now - 500)
    assert judged.report()["components"]["detect"]["seconds_without_progress"] == 0


def test_a_measured_lag_is_seen_although_the_component_says_nothing() -> None:
    judged, clock = health()
    waiting = [0.0]
    judged.measure_lag("loop", lambda: waiting[0])
    assert judged.report()["healthy"]
    waiting[0] = 7
    judged.report()
    clock.advance(45)
    assert not judged.report()["healthy"]


def test_a_revoked_partition_no_longer_counts() -> None:
    judged, clock = health()
    judged.lag("partition-3", 1)
    clock.advance(60)
    judged.forget("partition-3")
    assert judged.report()["healthy"]


def test_readiness_is_off_until_it_is_set_and_can_be_taken_back() -> None:
    judged, _ = health()
    seen = [judged.ready]
    for ready in (True, False):
        judged.set_ready(ready)
        seen.append(judged.ready)
    assert seen == [False, True, False]
