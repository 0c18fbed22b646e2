"""Detection against simulated recordings: a small selection here, the whole by `make scenarios`."""

from __future__ import annotations

import pytest
from tests.scenarios.cases import ABRUPT, ATTACKS, QUIET, SEEDS, Attack
from tests.scenarios.demands import assert_found, assert_quiet

from hubblewatch.simulate import Size

FEW = (SEEDS[0], SEEDS[1])
FEW_RATE = 3.0
"""Connections a second: few enough for the normal tests, and the hardest for what counts ratios."""

FOR_MEDIUM = ("namespace-sprawl", "new-edge", "dns-anomaly")
FOR_SMALL = [attack for attack in ATTACKS if attack.detector not in FOR_MEDIUM]
"""A small cluster has too few namespaces for sprawl, too few peers to move on to, and often no
namespace whose look-ups can be seen."""


@pytest.mark.parametrize("seed", FEW)
@pytest.mark.parametrize("scenario", QUIET)
def test_a_disturbance_of_a_small_cluster_is_quiet(scenario: str, seed: int) -> None:
    assert_quiet(scenario, seed, 30, Size.SMALL, FEW_RATE)


@pytest.mark.parametrize("seed", FEW)
@pytest.mark.parametrize("attack", FOR_SMALL, ids=lambda attack: attack.scenario)
def test_an_attack_on_a_small_cluster_is_found(attack: Attack, seed: int) -> None:
    assert_found(attack, seed, 30, Size.SMALL, FEW_RATE)


@pytest.mark.parametrize("attack", ABRUPT, ids=lambda attack: attack.scenario)
def test_an_attack_is_found_in_a_recording_of_ten_minutes(attack: Attack) -> None:
    assert_found(attack, SEEDS[1], 10, Size.SMALL)


@pytest.mark.parametrize(
    ("attack", "minutes"),
    [
        (Attack("namespace-sprawl-fast:at=24", "namespace-sprawl"), 30),
        (Attack("namespace-sprawl-slow:intensity=4", "namespace-sprawl", windows=10), 50),
        (Attack("lateral-movement:at=24", "new-edge", parent="namespace-sprawl"), 30),
        (Attack("dns-tunnel", "dns-anomaly"), 25),
    ],
    ids=lambda attack: getattr(attack, "scenario", None),
)
def test_an_attack_on_a_medium_cluster_is_found(attack: Attack, minutes: int) -> None:
    assert_found(attack, SEEDS[0], minutes, Size.MEDIUM, FEW_RATE)
