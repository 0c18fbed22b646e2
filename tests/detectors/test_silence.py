from __future__ import annotations

import random

import pytest
from tests import closings
from tests.closings import CART, WHOLE, Stream, attempts, seen

from hubblewatch.detectors.finding import Finding
from hubblewatch.detectors.silence import Silence, SilenceSettings
from hubblewatch.window.closed import INBOUND, OUTBOUND, Subject
from hubblewatch.window.completeness import Completeness

STOCK = Subject("shop", "stock", OUTBOUND)


@pytest.fixture
def stream() -> Stream:
    return Stream(Silence(SilenceSettings()))


def minute(
    stream: Stream,
    count: int,
    subject: Subject = CART,
    completeness: Completeness = WHOLE,
) -> list[Finding]:
    """A window of the subject, and of another one that is always there."""
    attempts(stream.window(STOCK), 30)
    if count:
        attempts(stream.window(subject), count)
    return stream.close(completeness=completeness)


def settle(stream: Stream, minutes: int = 90, count: int = 20, subject: Subject = CART) -> None:
    for _ in range(minutes):
        assert minute(stream, count, subject) == []


def test_a_subject_that_stops_is_found_in_the_third_window_and_told_for_some(
    stream: Stream,
) -> None:
    settle(stream)
    found = [minute(stream, 0) for _ in range(20)]
    assert [len(findings) for findings in found] == [0, 0] + [1] * 8 + [0] * 10
    finding = found[2][0]
    assert finding.subject == CART
    assert finding.severity.value == "warning"
    assert finding.summary == "Attempts of shop/cart stopped 3 minutes ago; usual are 20 a window"
    assert finding.evidence.edges == ["shop/cart -> shop/stock:8080/tcp"]


def test_an_outage_does_not_speak_against_whom_an_older_version_knew(stream: Stream) -> None:
    for _ in range(120):
        minute(stream, 20)
    for past in stream.memory.subjects.values():
        past.complete_before, past.complete_through = None, 0
    stream.memory.stream.complete = 0
    for nobody_looked in (0, 300):
        stream.number += nobody_looked
        for _ in range(90):
            assert minute(stream, 20) == []
    assert [bool(minute(stream, 0)) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("nobody_looked", [0, 180, 3_000])
@pytest.mark.parametrize("half_seen", [0, 15])
def test_what_was_not_looked_at_does_not_speak_against_a_subject(
    stream: Stream, nobody_looked: int, half_seen: int
) -> None:
    for _ in range(120):
        minute(stream, 20)
    stream.number += nobody_looked
    for _ in range(half_seen):
        attempts(stream.window(CART), 10)
        stream.close(completeness=seen(0.5))
    for _ in range(90):
        assert minute(stream, 20) == []
    assert [bool(minute(stream, 0)) for _ in range(3)] == [False, False, True]


def test_how_long_ago_it_stopped_is_told_whatever_the_windows_length(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "SIZE", 10)
    settle(stream)
    found = [minute(stream, 0) for _ in range(6)]
    told = [finding.summary.partition(";")[0] for findings in found for finding in findings]
    assert told == [
        f"Attempts of shop/cart stopped {ago} ago"
        for ago in ("30 seconds", "40 seconds", "50 seconds", "1 minute")
    ]


def test_an_inbound_subject_can_fall_silent_too(stream: Stream) -> None:
    inbound = Subject("shop", "gate", INBOUND)
    settle(stream, subject=inbound)
    found = [minute(stream, 0, inbound) for _ in range(3)]
    assert found[-1][0].summary.startswith("Connections from outside the pods to shop/gate stopped")


def test_few_attempts_take_longer(stream: Stream) -> None:
    settle(stream, count=3)
    found = [minute(stream, 0) for _ in range(8)]
    assert [len(findings) for findings in found] == [0] * 6 + [1] * 2


def test_very_few_attempts_prove_nothing(stream: Stream) -> None:
    settle(stream, count=1)
    assert [minute(stream, 0) for _ in range(20)] == [[]] * 20


def test_a_subject_known_for_less_than_an_hour_is_quiet(stream: Stream) -> None:
    settle(stream, 50)
    assert [minute(stream, 0) for _ in range(15)] == [[]] * 15


def test_a_job_that_runs_now_and_then_is_quiet(stream: Stream) -> None:
    for _ in range(30):
        settle(stream, 4)
        assert [minute(stream, 0) for _ in range(6)] == [[]] * 6


def test_the_low_of_a_day_is_quiet(stream: Stream) -> None:
    rng = random.Random(1)
    settle(stream)
    for number in range(240):
        mean = 20 * (1 - number / 250)
        count = sum(rng.random() < mean / 1_000 for _ in range(1_000))
        assert minute(stream, count) == []


@pytest.mark.parametrize("completeness", [seen(0.95, ["node-a"]), seen(0.9), seen(0.5)])
def test_nothing_is_said_while_not_everything_is_seen(
    stream: Stream, completeness: Completeness
) -> None:
    settle(stream)
    assert [minute(stream, 0, completeness=completeness) for _ in range(9)] == [[]] * 9


def test_one_incomplete_window_among_them_makes_it_quiet(stream: Stream) -> None:
    settle(stream)
    minute(stream, 0)
    minute(stream, 0, completeness=seen(0.9))
    assert [minute(stream, 0) for _ in range(12)] == [[]] * 12


def test_nothing_is_said_while_a_node_is_not_connected(stream: Stream) -> None:
    settle(stream)
    stream.memory.stream.unavailable = ["node-a"]
    assert [minute(stream, 0) for _ in range(9)] == [[]] * 9


def test_a_subject_that_stops_again_and_again_is_not_told_for_ever(stream: Stream) -> None:
    settle(stream, 600)
    told = []
    for _ in range(8):
        silent = [minute(stream, 0) for _ in range(30)]
        told.append(any(silent))
        for _ in range(60):
            minute(stream, 20)
    assert told[0]
    assert not any(told[2:])


def test_a_pod_of_a_schedule_among_others_is_enough(stream: Stream) -> None:
    nightly = Subject("shop", "report", OUTBOUND)
    others = {f"report-by-hand-{number}" for number in range(20)}
    for number in range(180):
        attempts(stream.window(STOCK), 30)
        attempts(stream.window(nightly), 20)
        stream.window(nightly).pods.clear()
        stream.window(nightly).pods.update(others)
        if not number:
            stream.window(nightly).pods.add("report-29540640-x7k2p")
        assert stream.close() == []
    assert [minute(stream, 0) for _ in range(12)] == [[]] * 12


def test_the_end_of_a_cron_jobs_long_run_is_quiet(stream: Stream) -> None:
    nightly = Subject("shop", "report", OUTBOUND)
    for _ in range(180):
        attempts(stream.window(STOCK), 30)
        attempts(stream.window(nightly), 20)
        stream.window(nightly).pods.clear()
        stream.window(nightly).pods.add("report-29540640-x7k2p")
        assert stream.close() == []
    assert [minute(stream, 0) for _ in range(12)] == [[]] * 12
