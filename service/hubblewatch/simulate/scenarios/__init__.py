"""All scenarios by name."""

from __future__ import annotations

from hubblewatch.simulate.scenarios.base import Scenario
from hubblewatch.simulate.scenarios.denials import DeniedProbe, PolicyBreak
from hubblewatch.simulate.scenarios.quiet import Quiet
from hubblewatch.simulate.scenarios.scans import HostSweep, PortScan
from hubblewatch.simulate.scenarios.udp import UdpFlood

_ALL: tuple[type[Scenario], ...] = (Quiet, PolicyBreak, DeniedProbe, UdpFlood, PortScan, HostSweep)

SCENARIOS: dict[str, type[Scenario]] = {scenario.name: scenario for scenario in _ALL}


def scenario_names() -> list[str]:
    """Every name that `--scenario` takes."""
    return list(SCENARIOS)
