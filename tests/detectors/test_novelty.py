from __future__ import annotations

from math import exp

import pytest
from tests.closings import FIRST

from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.detectors.novelty import chance_of, given_through, rate_before


def test_the_chance_of_arrivals_is_that_of_a_poisson_process() -> None:
    assert chance_of(0, 2.0) == pytest.approx(1.0)
    assert chance_of(1, 2.0) == pytest.approx(1 - exp(-2))
    assert chance_of(3, 0.1) == pytest.approx(1.55e-4, rel=0.01)


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
