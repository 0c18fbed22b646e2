"""The whole matrix, half an hour of one core: `make scenarios`. Not collected by `make test`."""

from __future__ import annotations

import pytest
from tests.scenarios.cases import (
    ABRUPT,
    ATTACKS,
    NO_STOP,
    QUIET,
    SEEDS,
    SLOW,
    SLOW_MINUTES,
    SLOW_RATE,
    STOP,
    STOP_MINUTES,
    Attack,
)
from tests.scenarios.demands import assert_found, assert_not_told, assert_quiet

from hubblewatch.simulate import Size

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", QUIET)
def test_a_disturbance_is_quiet_for_an_hour(scenario: str, seed: int) -> None:
    assert_quiet(scenario, seed, 60, Size.MEDIUM)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.scenario)
def test_an_attack_is_found_within_an_hour(attack: Attack, seed: int) -> None:
    assert_found(attack, seed, 60, Size.MEDIUM)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("attack", ABRUPT, ids=lambda attack: attack.scenario)
def test_an_attack_is_found_while_all_baselines_are_cold(attack: Attack, seed: int) -> None:
    assert_found(attack, seed, 10, Size.MEDIUM)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_cluster_is_quiet(seed: int) -> None:
    assert_quiet("quiet", seed, 15, Size.LARGE)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_succession_is_found(seed: int) -> None:
    assert_found(SLOW, seed, SLOW_MINUTES, Size.MEDIUM, SLOW_RATE)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_workload_that_stops_is_missed(seed: int) -> None:
    assert_found(STOP, seed, STOP_MINUTES, Size.MEDIUM)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", NO_STOP)
def test_nobody_is_missed_who_did_not_stop(scenario: str, seed: int) -> None:
    assert_not_told("silence", scenario, seed, STOP_MINUTES, Size.MEDIUM)
