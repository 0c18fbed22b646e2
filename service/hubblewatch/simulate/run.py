"""The simulation: connections, their truth, and the lines that show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hubblewatch.simulate.agenda import Agenda
from hubblewatch.simulate.background import start_background
from hubblewatch.simulate.clock import SECOND, rfc3339
from hubblewatch.simulate.connections import Connection
from hubblewatch.simulate.delivery import Delivery
from hubblewatch.simulate.events.control import node_status
from hubblewatch.simulate.events.line import Event, LineWriter
from hubblewatch.simulate.events.plain import Observation
from hubblewatch.simulate.events.render import Renderer
from hubblewatch.simulate.peers import compact
from hubblewatch.simulate.scenarios import SCENARIOS, scenario_names
from hubblewatch.simulate.scenarios.base import Plan, Scenario, plan_scenario
from hubblewatch.simulate.scene import Scene
from hubblewatch.simulate.service_graph import build_service_graph
from hubblewatch.simulate.settings import (
    VERSION,
    Aggregation,
    ScenarioError,
    SimulationConfig,
)
from hubblewatch.simulate.topology import Cluster, build_cluster
from hubblewatch.simulate.traffic import Traffic
from hubblewatch.simulate.truth import Label, TruthCounter, WindowTruth


@dataclass
class Truth:
    """The ground truth as it becomes known.

    `on_window` receives each window when its time has passed; without it windows are kept in
    `windows`. `header` and `labels` are complete once the first line has been read, `connections`
    counts what was opened and is no probe.
    """

    on_window: Callable[[WindowTruth], None] | None = None
    header: str = ""
    labels: list[Label] = field(default_factory=list)
    windows: list[WindowTruth] = field(default_factory=list)

    def add(self, window: WindowTruth) -> None:
        """Passes a window on."""
        if self.on_window is not None:
            self.on_window(window)
        else:
            self.windows.append(window)

    def lines(self) -> Iterator[str]:
        """The truth file: the recording, windows by time and subject, labels."""
        yield self.header
        for window in self.windows:
            yield window.line()
        for label in self.labels:
            yield label.line()


def simulate(config: SimulationConfig, truth: Truth | None = None) -> Iterator[bytes]:
    """Hubble's lines, each with its newline, in the order in which they arrive.

    `truth`, when given, is filled while the lines are read. Raises ScenarioError on the first
    line if a scenario's name is unknown.
    """
    check_scenarios(config)
    truth = truth if truth is not None else Truth()
    cluster = build_cluster(config)
    traffic = Traffic(config.start_ns, config.end_ns)
    scene = Scene(
        config=config,
        cluster=cluster,
        edges=build_service_graph(cluster, config.seed),
        traffic=traffic,
        day_amplitude=cluster.day_amplitude,
    )
    start_background(scene)
    begun = _begin_scenarios(scene)
    truth.header = _header(config, cluster)
    delivery = Delivery(
        config, [disturbance for _, plan in begun for disturbance in plan.disturbances]
    )
    events = _events(config, cluster, _counted(traffic, truth))
    for line in delivery.lines(events):
        yield line.encode() + b"\n"
    truth.labels.extend(scenario.label(plan) for scenario, plan in begun)


def check_scenarios(config: SimulationConfig) -> None:
    """Raises ScenarioError when a scenario's name is unknown, or it would never begin."""
    for spec in config.scenarios:
        if spec.name not in SCENARIOS:
            known = ", ".join(scenario_names())
            raise ScenarioError(f"no scenario {spec.name!r}; there are {known}")
        if spec.at_minutes is not None and spec.at_minutes >= config.minutes:
            raise ScenarioError(
                f"{spec.name} begins after {spec.at_minutes:g} minutes, and the recording lasts "
                f"{config.minutes:g}; begin sooner, or set more minutes"
            )


def recording_header(config: SimulationConfig) -> str:
    """The first line of the truth file, without simulating anything."""
    return _header(config, build_cluster(config))


def _begin_scenarios(scene: Scene) -> list[tuple[Scenario, Plan]]:
    begun = []
    for number, spec in enumerate(scene.config.scenarios):
        scenario = SCENARIOS[spec.name]()
        plan = plan_scenario(scenario, spec, scene, number)
        scenario.begin(plan)
        begun.append((scenario, plan))
    return begun


def _counted(traffic: Traffic, truth: Truth) -> Iterator[Connection]:
    counter = TruthCounter()
    for connection in traffic.connections():
        for window in counter.add(connection):
            truth.add(window)
        yield connection
    for window in counter.close():
        truth.add(window)


def _events(
    config: SimulationConfig, cluster: Cluster, connections: Iterator[Connection]
) -> Iterator[Event]:
    observation = Observation(
        writer=LineWriter(cluster.version),
        overlay=cluster.overlay,
        every_packet=config.aggregation is Aggregation.NONE,
    )
    renderer = Renderer(cluster, observation, config.vantage, config.seed)
    agenda = Agenda(config.start_ns)
    names = [node.name for node in cluster.nodes]
    agenda.add((config.start_ns, -1, node_status("NODE_CONNECTED", names, config.start_ns)))
    for connection in connections:
        yield from agenda.until(connection.start_ns)
        for events in renderer.events(connection):
            agenda.follow(events, connection.start_ns)
    # What is still open when the recording ends is cut off, as a recording is.
    for event in agenda.until(config.end_ns + SECOND):
        if event[0] < config.end_ns:
            yield event


def _header(config: SimulationConfig, cluster: Cluster) -> str:
    return compact(
        {
            "recording": {
                "version": VERSION,
                "seed": config.seed,
                "scenarios": [
                    {
                        "name": spec.name,
                        "at": spec.at_minutes,
                        "for": spec.for_minutes,
                        "intensity": spec.intensity,
                    }
                    for spec in config.scenarios
                ],
                "start": rfc3339(config.start_ns),
                "end": rfc3339(config.end_ns),
                "cluster": cluster.name,
                "size": config.size.value,
                "nodes": [node.name for node in cluster.nodes],
                "namespaces": [namespace.name for namespace in cluster.namespaces],
                "workloads": len(cluster.workloads),
                "connections_per_second": round(cluster.rate, 3),
            }
        }
    )
