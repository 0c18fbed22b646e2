"""The list of detectors, and which hides which.

A new detector is one file with its settings block, one line in ``settings.py``, and one line here.
"""

from __future__ import annotations

from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.beaconing import Beaconing
from hubblewatch.detectors.connectivity_errors import ConnectivityErrors
from hubblewatch.detectors.dns_anomaly import DnsAnomaly
from hubblewatch.detectors.external_egress import ExternalEgress
from hubblewatch.detectors.host_sweep import HostSweep
from hubblewatch.detectors.isolation_forest import IsolationForest
from hubblewatch.detectors.namespace_sprawl import NamespaceSprawl
from hubblewatch.detectors.new_edge import NewEdge
from hubblewatch.detectors.policy_denials import PolicyDenials
from hubblewatch.detectors.port_scan import PortScan
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.detectors.silence import Silence
from hubblewatch.detectors.source_degraded import SourceDegraded
from hubblewatch.detectors.udp_spike import UdpSpike
from hubblewatch.model.loaded import ModelSource

_SEARCHES = frozenset({"port-scan", "host-sweep"})

PARENTS: dict[str, frozenset[str]] = {
    "policy-denials": _SEARCHES,
    "connectivity-errors": _SEARCHES,
    "udp-spike": _SEARCHES,
    "namespace-sprawl": _SEARCHES,
    "new-edge": _SEARCHES | {"namespace-sprawl"},
    "external-egress": _SEARCHES,
    "isolation-forest": _SEARCHES
    | {"namespace-sprawl", "udp-spike", "policy-denials", "connectivity-errors"}
    | {"new-edge", "external-egress", "dns-anomaly", "beaconing"},
}
"""A finding is not alerted while one of its parents fires for the same subject: it is an effect.
A parent of severity info hides only findings of severity info."""


def build_detectors(
    settings: DetectorSettings, models: ModelSource | None = None
) -> list[Detector]:
    """Give the enabled detectors in the order in which they look; ``models`` is for the forest."""
    detectors: list[tuple[bool, Detector]] = [
        (settings.policy_denials.enabled, PolicyDenials(settings.policy_denials)),
        (settings.udp_spike.enabled, UdpSpike(settings.udp_spike)),
        (settings.namespace_sprawl.enabled, NamespaceSprawl(settings.namespace_sprawl)),
        (settings.port_scan.enabled, PortScan(settings.port_scan)),
        (settings.host_sweep.enabled, HostSweep(settings.host_sweep)),
        (settings.connectivity_errors.enabled, ConnectivityErrors(settings.connectivity_errors)),
        (settings.new_edge.enabled, NewEdge(settings.new_edge)),
        (settings.external_egress.enabled, ExternalEgress(settings.external_egress)),
        (settings.dns_anomaly.enabled, DnsAnomaly(settings.dns_anomaly)),
        (settings.beaconing.enabled, Beaconing(settings.beaconing)),
        (settings.silence.enabled, Silence(settings.silence)),
        (settings.isolation_forest.enabled, IsolationForest(settings.isolation_forest, models)),
        (settings.source_degraded.enabled, SourceDegraded(settings.source_degraded)),
    ]
    return [detector for is_enabled, detector in detectors if is_enabled]
