"""Which windows a model is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from tests.model.building import gathered

from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.settings import Settings, WindowSettings
from hubblewatch.simulate import ScenarioSpec, SimulationConfig
from hubblewatch.train.gather import gather_simulated, split_by_time


def test_the_earlier_part_lies_before_the_later() -> None:
    earlier, later = split_by_time(gathered(2_000, 1), 0.7)
    assert earlier.rows.numbers.max() < later.rows.numbers.min()
    assert 0.65 < len(earlier.rows.numbers) / 2_000 < 0.75


def test_each_part_tells_of_its_own_time_and_of_what_was_left_out_of_it() -> None:
    config = SimulationConfig(
        seed=8, minutes=40, rate=1.0, scenarios=(ScenarioSpec("udp-flood", 33.0, 5.0),)
    )
    whole = gather_simulated(config, Settings())
    earlier, later = split_by_time(whole, 0.5)
    assert (earlier.first, later.last) == (whole.first, whole.last)
    assert earlier.last == later.first == format_seconds(60 * int(later.rows.numbers.min()))
    assert later.left_out["alerted"] == whole.left_out["alerted"] > 0
    assert (earlier.left_out["alerted"], later.left_out["incomplete"]) == (0, 0)
    assert earlier.left_out["cold"] > later.left_out["cold"]
    for why, count in whole.left_out.items():
        assert earlier.left_out[why] + later.left_out[why] == count


@pytest.mark.parametrize("seconds", [30, 60])
def test_windows_of_an_attack_are_marked_and_none_before_it(seconds: int) -> None:
    config = SimulationConfig(
        seed=7, minutes=30, rate=2.0, scenarios=(ScenarioSpec("data-staging", 20.0, 8.0),)
    )
    settings = Settings(window=WindowSettings(size_seconds=seconds))
    made = gather_simulated(config, settings)
    attacked = made.rows.numbers[made.attacked]
    assert 5 <= len(attacked) * seconds / 60 <= 9
    assert attacked.min() >= made.began
    assert not made.usable[made.attacked].any()
    assert len(np.unique(made.rows.subjects[made.attacked])) == 1


def test_a_subject_under_alert_is_left_out_while_it_lasts() -> None:
    config = SimulationConfig(
        seed=8, minutes=30, rate=2.0, scenarios=(ScenarioSpec("udp-flood", 18.0, 5.0),)
    )
    made = gather_simulated(config, Settings())
    assert made.left_out["alerted"] >= 5
    assert (~made.rows.quiet).sum() == made.left_out["alerted"]
