from __future__ import annotations

from random import Random

import pytest
from tests.closings import SIZE, WHOLE, Stream, attempts, seen

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.detectors.connectivity_errors import (
    ConnectivityErrors,
    ConnectivityErrorsSettings,
)
from hubblewatch.detectors.finding import Finding
from hubblewatch.window.completeness import Completeness


@pytest.fixture
def stream() -> Stream:
    return Stream(ConnectivityErrors(ConnectivityErrorsSettings()))


def minute(
    stream: Stream,
    failed: int,
    allowed: int = 20,
    outcome: Outcome = Outcome.FAILED,
    completeness: Completeness = WHOLE,
) -> list[Finding]:
    attempts(stream.window(), allowed)
    attempts(stream.window(), failed, "bank/ledger", 5_432, outcome=outcome)
    return stream.close(completeness=completeness)


@pytest.mark.parametrize("past", [0, 5, 60])
@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DROPPED])
def test_failures_in_two_of_three_windows_are_found(
    stream: Stream, past: int, outcome: Outcome
) -> None:
    stream.repeat(past)
    assert minute(stream, 15, outcome=outcome) == []
    (finding,) = minute(stream, 15, outcome=outcome)
    assert finding.severity.value == "warning"
    assert finding.observed == 30


def test_a_good_window_between_two_bad_ones_is_part_of_the_time(stream: Stream) -> None:
    stream.repeat(60)
    minute(stream, 15)
    minute(stream, 0)
    (finding,) = minute(stream, 15)
    assert "30 attempts within 3 minutes" in finding.summary
    assert finding.since == (stream.number - 3) * SIZE


def test_one_bad_window_is_quiet(stream: Stream) -> None:
    stream.repeat(60)
    assert [minute(stream, failed) for failed in (500, 0, 0, 500, 0, 0)] == [[]] * 6


def test_a_small_share_is_quiet(stream: Stream) -> None:
    stream.repeat(60, 1_000)
    assert [minute(stream, 50, 1_000) for _ in range(5)] == [[]] * 5


def test_a_few_failures_are_quiet_even_if_they_are_all(stream: Stream) -> None:
    stream.repeat(60)
    assert [minute(stream, 4, 0) for _ in range(5)] == [[]] * 5


@pytest.mark.parametrize("past", [60, 600])
def test_a_few_failures_are_found_when_they_stay(stream: Stream, past: int) -> None:
    stream.repeat(past)
    told = [len(minute(stream, int(number % 3 > 0) + number % 2, 12)) for number in range(12)]
    first = told.index(1)
    assert 5 <= first <= 9
    (finding,) = minute(stream, 2, 12)
    assert finding.severity.value == "warning"
    assert "10 minutes" in finding.summary


def test_a_few_failures_that_stay_are_quiet_while_the_baseline_is_cold(stream: Stream) -> None:
    stream.repeat(3)
    assert not any(minute(stream, 1, 12) for _ in range(30))


def test_a_few_failures_that_stay_are_quiet_where_they_are_few_of_many(stream: Stream) -> None:
    stream.repeat(60, 100)
    assert not any(minute(stream, 2, 100) for _ in range(30))


def test_one_who_fails_now_and_then_has_runs_of_failures(stream: Stream) -> None:
    """A day of a workload in which each window has a failure with a chance of one in ten."""
    rng = Random(8)
    found = [bool(minute(stream, int(rng.random() < 0.1), 12)) for _ in range(1_440)]
    assert not any(found)


def test_denials_are_not_counted(stream: Stream) -> None:
    stream.repeat(60)
    assert [minute(stream, 500, outcome=Outcome.DENIED) for _ in range(5)] == [[]] * 5


def test_failures_that_were_always_there_are_quiet(stream: Stream) -> None:
    for _ in range(900):
        minute(stream, 20)
    assert [minute(stream, failed) for failed in (20, 24, 17, 28)] == [[]] * 4


def test_lookups_do_not_dilute_the_share(stream: Stream) -> None:
    stream.repeat(60)
    for _ in range(2):
        attempts(stream.window(), 100, "kube-system/coredns", 53, "udp")
        found = minute(stream, 12, 8)
    assert len(found) == 1
    assert found[0].summary.startswith("60% of the connections of shop/cart fail")


def test_it_is_critical_when_most_of_many_fail(stream: Stream) -> None:
    stream.repeat(60)
    minute(stream, 100)
    (finding,) = minute(stream, 100)
    assert finding.severity.value == "critical"


@pytest.mark.parametrize("completeness", [seen(0.95, ["node-a"]), seen(0.6, ["node-a"]), seen(0.7)])
def test_a_silent_node_or_losses_make_it_quiet(stream: Stream, completeness: Completeness) -> None:
    stream.repeat(60)
    assert minute(stream, 30) == []
    for _ in range(10):
        assert minute(stream, 30, completeness=completeness) == []


def test_windows_with_a_silent_node_do_not_count_afterwards(stream: Stream) -> None:
    stream.repeat(60)
    minute(stream, 30, completeness=seen(0.95, ["node-a"]))
    minute(stream, 30, completeness=seen(0.95, ["node-a"]))
    assert minute(stream, 30) == []
    assert len(minute(stream, 30)) == 1


def test_it_tells_reset_from_dropped_and_names_the_peer(stream: Stream) -> None:
    stream.repeat(60)
    minute(stream, 30)
    attempts(stream.window(), 4, outcome=Outcome.DROPPED)
    (finding,) = minute(stream, 30)
    assert "30 reset or unanswered and 4 dropped on the way" in finding.description
    assert "shop/cart -> bank/ledger:5432/tcp (30)" in finding.description


def test_more_bad_windows_than_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be above windows"):
        ConnectivityErrorsSettings(bad_windows=5)


def test_peers_behind_drops_are_named_beside_those_that_refuse(stream: Stream) -> None:
    stream.repeat(60)
    found: list[Finding] = []
    for _ in range(3):
        attempts(stream.window(), 1, "shop/legacy", 80, outcome=Outcome.FAILED)
        found = minute(stream, 50, outcome=Outcome.DROPPED)
    assert [(peer.workload, peer.attempts) for peer in found[0].peers] == [
        ("ledger", 50),
        ("legacy", 1),
    ]


def test_a_finding_says_that_its_end_needs_all_nodes(stream: Stream) -> None:
    stream.repeat(60)
    minute(stream, 15)
    (finding,) = minute(stream, 15)
    assert finding.needs_all_nodes
    assert minute(stream, 15, completeness=seen(0.95, ["node-1"])) == []
