"""Against a simulated cluster whose truth is known: every count of every window."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hubblewatch.simulate.run import Truth, simulate
from hubblewatch.simulate.settings import Aggregation, ScenarioSpec, SimulationConfig, Size, Vantage
from hubblewatch.window.closed import WindowRecord
from tests.running import windows

SCENARIOS = ("policy-break", "denied-probe", "port-scan", "udp-flood", "connectivity-errors")


def simulated(**how: Any) -> tuple[list[bytes], Truth]:
    """The lines of a small cluster in which much goes wrong, and what really happened."""
    scenarios = tuple(ScenarioSpec(name, at_minutes=1, for_minutes=2) for name in SCENARIOS)
    config = SimulationConfig(minutes=4, size=Size.SMALL, scenarios=scenarios, **how)
    truth = Truth()
    return [line.rstrip(b"\n") for line in simulate(config, truth)], truth


COUNTED = (
    "attempts",
    "allowed",
    "denied",
    "audited",
    "dropped",
    "failed",
    "tcp",
    "udp",
    "sctp",
    "icmp",
)


def told(found: list[WindowRecord]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {
        (w.start, w.namespace, w.workload, w.direction): {
            **{name: getattr(w, name) for name in COUNTED},
            **({"peer_namespaces": w.peer_namespaces} if w.direction == "outbound" else {}),
        }
        for w in found
        if w.attempts or w.icmp
    }


def true(truth: Truth) -> dict[tuple[str, ...], dict[str, Any]]:
    found = {}
    for window in truth.windows:
        content = json.loads(window.line())["window"]
        key = (content["start"], content["namespace"], content["workload"], content["direction"])
        found[key] = {name: content[name] for name in COUNTED}
        if content["direction"] == "outbound":
            found[key]["peer_namespaces"] = content["peer_namespaces"]
    return found


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("aggregation", list(Aggregation))
@pytest.mark.parametrize("vantage", list(Vantage))
def test_windows_are_the_truth_however_it_was_recorded(
    seed: int, aggregation: Aggregation, vantage: Vantage
) -> None:
    lines, truth = simulated(seed=seed, aggregation=aggregation, vantage=vantage)
    assert told(windows(lines)) == true(truth)


@pytest.mark.parametrize(
    "how",
    [{"duplicate": True}, {"disorder_seconds": 8.0}, {"heartbeats": True}],
    ids=["duplicate", "disorder", "heartbeats"],
)
def test_windows_are_the_truth_however_it_arrived(how: dict[str, Any]) -> None:
    lines, truth = simulated(seed=4, **how)
    assert told(windows(lines)) == true(truth)
