"""All scenarios by name."""

from __future__ import annotations

from hubblewatch.simulate.scenarios.allowed import (
    AllowedEgress,
    CredentialReuse,
    HijackedPod,
    QuietRecon,
)
from hubblewatch.simulate.scenarios.base import Scenario
from hubblewatch.simulate.scenarios.denials import DeniedProbe, PolicyBreak
from hubblewatch.simulate.scenarios.egress import Beacon, DnsTunnel, NewEgress
from hubblewatch.simulate.scenarios.errors import ConnectivityErrors
from hubblewatch.simulate.scenarios.lifecycle import NewService, NodeLoss, Rollout, ScaleOut
from hubblewatch.simulate.scenarios.load import BatchPeak, DayCycle
from hubblewatch.simulate.scenarios.observation import (
    DuplicateDelivery,
    ExporterRestart,
    LateLines,
    RingBufferLoss,
)
from hubblewatch.simulate.scenarios.quiet import Quiet
from hubblewatch.simulate.scenarios.scans import HostSweep, PortScan
from hubblewatch.simulate.scenarios.sprawl import (
    LateralMovement,
    NamespaceSprawlFast,
    NamespaceSprawlSlow,
)
from hubblewatch.simulate.scenarios.staging import DataStaging, FamiliarPaths
from hubblewatch.simulate.scenarios.stop import WorkloadStop
from hubblewatch.simulate.scenarios.udp import UdpFlood, UdpShareShift

_ALL: tuple[type[Scenario], ...] = (
    Quiet,
    PolicyBreak,
    DeniedProbe,
    UdpFlood,
    UdpShareShift,
    NamespaceSprawlFast,
    NamespaceSprawlSlow,
    PortScan,
    HostSweep,
    DnsTunnel,
    NewEgress,
    Beacon,
    LateralMovement,
    DataStaging,
    FamiliarPaths,
    CredentialReuse,
    AllowedEgress,
    QuietRecon,
    HijackedPod,
    ConnectivityErrors,
    Rollout,
    BatchPeak,
    ScaleOut,
    NodeLoss,
    RingBufferLoss,
    LateLines,
    DuplicateDelivery,
    NewService,
    DayCycle,
    ExporterRestart,
    WorkloadStop,
)

SCENARIOS: dict[str, type[Scenario]] = {scenario.name: scenario for scenario in _ALL}


def scenario_names() -> list[str]:
    """Every name that `--scenario` takes."""
    return list(SCENARIOS)
