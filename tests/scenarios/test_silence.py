"""A workload that stops among others that go on, and what only looks like it."""

from __future__ import annotations

import pytest
from tests.scenarios.cases import NO_STOP, SEEDS, STOP, STOP_MINUTES
from tests.scenarios.demands import assert_found, assert_not_told
from tests.scenarios.judge import judge, told

from hubblewatch.incident.suppression_list import parse_suppressions
from hubblewatch.simulate import Size

RATE = 2.0

ANNOUNCED = """
- name: scaled-to-zero
  detector: silence
  from: 2026-03-02T09:00:00Z
  until: 2026-03-02T10:00:00Z
  expires: 2026-03-03
  owner: platform
  reason: scaled to zero over lunch
"""


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_a_workload_that_stops_is_missed(seed: int) -> None:
    assert_found(STOP, seed, STOP_MINUTES, Size.SMALL, RATE)


@pytest.mark.parametrize(
    ("scenario", "seed"), [(NO_STOP[0], 11), (NO_STOP[1], 37), (NO_STOP[2], 23), (NO_STOP[3], 58)]
)
def test_nobody_is_missed_who_did_not_stop(scenario: str, seed: int) -> None:
    assert_not_told("silence", scenario, seed, STOP_MINUTES, Size.SMALL, RATE)


def test_a_stop_that_was_announced_is_not_told() -> None:
    announced = parse_suppressions(ANNOUNCED)
    verdict = judge(STOP.scenario, SEEDS[0], STOP_MINUTES, Size.SMALL, RATE, announced)
    assert not verdict.paged(), told(verdict.paged())
