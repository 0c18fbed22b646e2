from __future__ import annotations

from random import Random

import pytest
from tests.closings import FIRST

from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.detectors.novelty import (
    chance_of_more,
    given_through,
    note_told,
    rate_before,
    settled_through,
    watched_before,
)


def test_the_chance_is_that_of_a_rate_drawn_from_what_the_past_leaves_open() -> None:
    rng = Random(4)
    drawn, hits = 20_000, 0
    for _ in range(drawn):
        rate = rng.gammavariate(2 + 0.5, 1 / 60)  # after 2 in 60 windows
        time, came = rng.expovariate(rate), 0
        while time < 40:  # the next 40 windows
            came += 1
            time += rng.expovariate(rate)
        hits += came >= 4
    assert chance_of_more(4, 40, 2, 60) == pytest.approx(hits / drawn, rel=0.06)


def test_the_chance_has_its_limits() -> None:
    assert chance_of_more(0, 10, 3, 100) == pytest.approx(1.0)
    assert chance_of_more(3, 10, 0, 0) == 1.0
    assert chance_of_more(1, 1, 0, 10**9) < 1e-8


def test_the_same_succession_proves_more_of_one_that_was_watched_longer() -> None:
    chances = [chance_of_more(4, 60, 0, watched) for watched in (30, 120, 600, 1_440)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 1e-2
    assert chances[-1] < 1e-5


def test_very_small_chances_keep_their_digits() -> None:
    one_more = chance_of_more(13, 5, 0, 1_440) / chance_of_more(12, 5, 0, 1_440)
    assert one_more == pytest.approx((12 + 0.5) / 13 * 5 / 1_445, rel=0.01)
    assert 0 < chance_of_more(40, 5, 0, 1_440) < 1e-90


def test_the_warm_up_lasts_ten_windows_with_traffic() -> None:
    assert given_through(SubjectMemory(first=FIRST, windows=9)) is None
    assert given_through(SubjectMemory(first=FIRST, windows=10)) == FIRST + 9


def test_the_rate_falls_while_nothing_new_comes() -> None:
    past = SubjectMemory(first=FIRST, windows=60)
    assert rate_before(0, past, FIRST + 30) == pytest.approx(0.5 / 25)
    assert rate_before(0, past, FIRST + 60) == pytest.approx(0.5 / 55)
    assert rate_before(5, past, FIRST + 60) == pytest.approx(5.5 / 55)


def test_windows_without_traffic_are_no_time_in_which_something_could_come() -> None:
    busy = SubjectMemory(first=FIRST, windows=600)
    rare = SubjectMemory(first=FIRST, windows=60)
    since = FIRST + 600
    assert rate_before(0, rare, since) > 10 * rate_before(0, busy, since)


def test_what_was_watched_begins_after_the_discovery_and_is_a_day_at_most() -> None:
    past = SubjectMemory(first=FIRST, windows=5_000)
    assert watched_before(past, FIRST + 5) == 0
    assert watched_before(past, FIRST + 30) == 25
    assert watched_before(past, FIRST + 4_000) == 1_439


def test_what_was_told_is_settled_once_its_incident_is_over() -> None:
    past = SubjectMemory(first=FIRST, windows=500)
    assert settled_through(past, "new-edge", FIRST + 100) == -1
    for number in (100, 101, 106):
        note_told(past, "new-edge", FIRST + number)
        assert settled_through(past, "new-edge", FIRST + number) == -1
    assert settled_through(past, "new-edge", FIRST + 111) == -1
    assert settled_through(past, "new-edge", FIRST + 112) == FIRST + 106
    note_told(past, "new-edge", FIRST + 200)
    assert settled_through(past, "new-edge", FIRST + 201) == FIRST + 106
    assert settled_through(past, "external-egress", FIRST + 300) == -1
