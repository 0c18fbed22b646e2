"""What every scenario is."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hubblewatch.simulate.clock import MINUTE
from hubblewatch.simulate.disturbances import Disturbance
from hubblewatch.simulate.scene import Scene
from hubblewatch.simulate.settings import ScenarioSpec, Size
from hubblewatch.simulate.truth import Label, Subject

QUIET_SHARE = 0.4
"""Without `at`, a scenario begins after this share of the recording."""


@dataclass
class Plan:
    """One scenario under way; it fills in its subjects as it chooses them."""

    spec: ScenarioSpec
    start_ns: int
    end_ns: int
    scene: Scene
    rng: Random
    subjects: list[Subject] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)

    @property
    def intensity(self) -> float:
        """Strength, 1.0 being the documented default."""
        return self.spec.intensity


class Scenario:
    """A kind of scenario; subclasses state what they do at intensity 1 in their docstring.

    `begin` is called once before the recording starts; it chooses actors and puts actions on the
    plan's traffic. `detectors` are those that should find it.
    """

    name = ""
    kind = "attack"
    detectors: tuple[str, ...] = ()
    minutes: float | None = None
    """Default length; None lasts until the end of the recording."""
    lead_minutes: float = 0.0
    """What its detectors must have seen before, where the usual begin is too soon for them."""
    least_size: Size = Size.SMALL
    """Clusters below have too few namespaces or workloads to show it."""
    unit = ""
    """What intensity multiplies."""

    def begin(self, plan: Plan) -> None:
        """Sets the scenario in motion."""
        raise NotImplementedError

    def label(self, plan: Plan) -> Label:
        """The truth about it."""
        return Label(
            name=self.name,
            kind=self.kind,
            start_ns=plan.start_ns,
            end_ns=plan.end_ns,
            intensity=plan.intensity,
            subjects=sorted(set(plan.subjects)),
            detectors=list(self.detectors),
            description=" ".join((self.__doc__ or "").split()),
        )


def plan_scenario(scenario: Scenario, spec: ScenarioSpec, scene: Scene, number: int) -> Plan:
    """When the scenario runs, and its own random stream."""
    begin_ns, end_ns = scene.config.start_ns, scene.config.end_ns
    if spec.at_minutes is None:
        start_ns = begin_ns + int((end_ns - begin_ns) * QUIET_SHARE)
    else:
        start_ns = begin_ns + int(spec.at_minutes * MINUTE)
    length = spec.for_minutes if spec.for_minutes is not None else scenario.minutes
    until_ns = end_ns if length is None else start_ns + int(length * MINUTE)
    return Plan(
        spec=spec,
        start_ns=min(start_ns, end_ns),
        end_ns=min(until_ns, end_ns),
        scene=scene,
        rng=scene.rng("scenario", spec.name, number),
    )
