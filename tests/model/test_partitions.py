"""The forest says the same whether a stream is read whole or in partitions."""

from __future__ import annotations

from hubblewatch.detectors.isolation_forest import IsolationForest, IsolationForestSettings
from hubblewatch.model.loaded import FixedModel
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, Size, simulate
from hubblewatch.simulate.settings import Vantage
from tests.kafka.partitioned import partitioned, whole
from tests.model.building import loaded


def test_partitions_together_are_one_replay() -> None:
    config = SimulationConfig(
        seed=21,
        minutes=28,
        size=Size.SMALL,
        rate=2.0,
        vantage=Vantage.SOURCE,
        scenarios=(ScenarioSpec.parse("data-staging:at=20:intensity=2"),),
    )
    lines = [line.rstrip(b"\n") for line in simulate(config)]
    detectors = [IsolationForest(IsolationForestSettings(), FixedModel(loaded(0.65)))]
    one, many = whole(lines, detectors), partitioned(lines, detectors)
    assert many.alerts == one.alerts
    assert [alert[1] for alert in one.alerts] == ["isolation-forest"]
