from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests import closings
from tests.closings import CART, Stream, attempts

from hubblewatch.detectors.finding import Finding
from hubblewatch.detectors.namespace_sprawl import NamespaceSprawl, NamespaceSprawlSettings
from hubblewatch.window.closed import OUTBOUND, Subject

HOME = ("shop", "bank", "kube-system")


@pytest.fixture
def stream() -> Stream:
    return Stream(NamespaceSprawl(NamespaceSprawlSettings()))


def minute(stream: Stream, namespaces: Iterable[str], subject: Subject = CART) -> list[Finding]:
    for namespace in namespaces:
        attempts(stream.window(subject), 3, f"{namespace}/any")
    return stream.close()


def settle(stream: Stream, minutes: int, namespaces: Iterable[str] = HOME) -> None:
    for _ in range(minutes):
        assert minute(stream, namespaces) == []


def far(*numbers: int) -> list[str]:
    return [f"far-{number}" for number in numbers]


@pytest.mark.parametrize("past", [5, 20, 90, 600])
def test_many_new_namespaces_at_once_are_found(stream: Stream, past: int) -> None:
    settle(stream, past)
    (finding,) = minute(stream, [*HOME, *far(*range(6))])
    assert finding.observed == 9
    assert (
        "contacted 9 namespaces in the last hour, 6 of them for the first time" in finding.summary
    )
    assert "far-0, far-1, far-2, far-3, far-4 and 1 more" in finding.description


@pytest.mark.parametrize(
    ("seconds", "lately"), [(10, "10 minutes"), (60, "hour"), (300, "5 hours")]
)
def test_the_time_in_which_they_were_contacted_is_told_whatever_the_windows_length(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, seconds: int, lately: str
) -> None:
    monkeypatch.setattr(closings, "SIZE", seconds)
    settle(stream, 90)
    (finding,) = minute(stream, [*HOME, *far(*range(6))])
    assert f"contacted 9 namespaces in the last {lately}, 6 of them" in finding.summary


def test_three_in_three_minutes_are_found_when_that_makes_six(stream: Stream) -> None:
    settle(stream, 90)
    found = [minute(stream, [*HOME, *far(number)]) for number in range(3)]
    assert [len(findings) for findings in found] == [0, 0, 1]


@pytest.mark.parametrize(("watched", "each", "at"), [(120, 4, 5), (1_440, 30, 4)])
def test_one_new_namespace_after_another_is_found(
    stream: Stream, watched: int, each: int, at: int
) -> None:
    settle(stream, watched)
    found = []
    for number in range(6):
        found.append(minute(stream, [*HOME, *far(number)]))
        for _ in range(each - 1):
            minute(stream, HOME)
    assert [bool(findings) for findings in found[:at]] == [False] * (at - 1) + [True]
    (finding,) = found[at - 1]
    assert "one after another" in finding.summary
    assert ("the last 6 hours" in finding.summary) == (each == 30)


def test_a_slow_succession_of_one_who_was_watched_briefly_may_be_chance(stream: Stream) -> None:
    settle(stream, 60)
    for number in range(4):
        assert minute(stream, [*HOME, *far(number)]) == []
        settle(stream, 29)


def test_what_was_told_is_not_told_again_with_the_next_new_one(stream: Stream) -> None:
    settle(stream, 600)
    assert minute(stream, [*HOME, *far(*range(6))])
    for _ in range(20):
        minute(stream, HOME)
    assert minute(stream, [*HOME, *far(6)]) == []
    settle(stream, 20)
    assert minute(stream, [*HOME, *far(*range(10, 30))])


def test_one_or_two_new_partners_are_quiet(stream: Stream) -> None:
    settle(stream, 90, [*HOME, "a", "b", "c"])
    assert minute(stream, [*HOME, "a", "b", "c", *far(1, 2)]) == []


def test_up_to_five_namespaces_are_quiet(stream: Stream) -> None:
    settle(stream, 90, ["shop"])
    assert minute(stream, ["shop", *far(1, 2, 3, 4)]) == []


def test_a_scraper_that_was_always_there_is_quiet(stream: Stream) -> None:
    settle(stream, 120, [*HOME, *far(*range(20))])


def test_a_scraper_whose_rounds_take_five_minutes_is_quiet(stream: Stream) -> None:
    for number in range(200):
        assert minute(stream, far(*range(number % 5 * 4, number % 5 * 4 + 4))) == []


def test_a_wide_subject_may_meet_a_few_more(stream: Stream) -> None:
    settle(stream, 120, far(*range(12)))
    assert minute(stream, far(*range(16))) == []


def test_a_subject_with_rare_partners_may_meet_more_of_them(stream: Stream) -> None:
    """One that met six of eight partners only once will meet some for the first time."""
    for number in range(48):
        names = [*HOME, f"rare-{number // 8}"] if number % 8 == 0 else HOME
        assert minute(stream, names) == []
    for number in range(48, 96):
        names = [*HOME, f"rare-{number // 8}"] if number % 8 == 0 else HOME
        assert minute(stream, names) == []


def test_a_subject_that_appears_later_has_no_past(stream: Stream) -> None:
    settle(stream, 30)
    for namespace in [*HOME, *far(1, 2, 3)]:
        attempts(stream.window(Subject("shop", "new", OUTBOUND)), 1, f"{namespace}/any")
    (finding,) = minute(stream, HOME)
    assert finding.subject.workload == "new"


def test_a_new_subject_with_few_namespaces_is_quiet(stream: Stream) -> None:
    settle(stream, 30)
    attempts(stream.window(Subject("shop", "new", OUTBOUND)), 1, "bank/any")
    assert minute(stream, HOME) == []


def test_it_goes_on_for_ten_windows_after_the_last_new_one(stream: Stream) -> None:
    settle(stream, 600)
    assert minute(stream, [*HOME, *far(*range(6))])
    found = [bool(minute(stream, HOME)) for _ in range(400)]
    assert found == [True] * 9 + [False] * 391


def test_very_many_are_critical(stream: Stream) -> None:
    settle(stream, 90)
    (finding,) = minute(stream, [*HOME, *far(*range(15))])
    assert finding.severity.value == "critical"
