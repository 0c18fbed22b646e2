"""A simulated cluster, what Hubble would write about it, and the truth about it.

`simulate(SimulationConfig(seed=7, scenarios=(ScenarioSpec.parse("port-scan:at=12"),)), truth)`
gives the lines and fills `truth`.
"""

from hubblewatch.simulate.run import Truth, simulate
from hubblewatch.simulate.settings import (
    Aggregation,
    ScenarioError,
    ScenarioSpec,
    SimulationConfig,
    Size,
    Vantage,
)
from hubblewatch.simulate.truth import Label, WindowTruth

__all__ = [
    "Aggregation",
    "Label",
    "ScenarioError",
    "ScenarioSpec",
    "SimulationConfig",
    "Size",
    "Truth",
    "Vantage",
    "WindowTruth",
    "simulate",
]
