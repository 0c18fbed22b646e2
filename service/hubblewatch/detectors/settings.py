"""The detectors' settings blocks in one model, keyed by detector id."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from hubblewatch.block import Block
from hubblewatch.detectors.beaconing import BeaconingSettings
from hubblewatch.detectors.connectivity_errors import ConnectivityErrorsSettings
from hubblewatch.detectors.dns_anomaly import DnsAnomalySettings
from hubblewatch.detectors.external_egress import ExternalEgressSettings
from hubblewatch.detectors.host_sweep import HostSweepSettings
from hubblewatch.detectors.isolation_forest import IsolationForestSettings
from hubblewatch.detectors.namespace_sprawl import NamespaceSprawlSettings
from hubblewatch.detectors.new_edge import NewEdgeSettings
from hubblewatch.detectors.policy_denials import PolicyDenialsSettings
from hubblewatch.detectors.port_scan import PortScanSettings
from hubblewatch.detectors.silence import SilenceSettings
from hubblewatch.detectors.source_degraded import SourceDegradedSettings
from hubblewatch.detectors.udp_spike import UdpSpikeSettings


class DetectorSettings(Block):
    """One block per detector, named by its id: ``policy-denials`` or ``policy_denials``."""

    model_config = ConfigDict(populate_by_name=True)

    policy_denials: PolicyDenialsSettings = Field(
        default_factory=PolicyDenialsSettings, alias="policy-denials"
    )
    udp_spike: UdpSpikeSettings = Field(default_factory=UdpSpikeSettings, alias="udp-spike")
    namespace_sprawl: NamespaceSprawlSettings = Field(
        default_factory=NamespaceSprawlSettings, alias="namespace-sprawl"
    )
    port_scan: PortScanSettings = Field(default_factory=PortScanSettings, alias="port-scan")
    host_sweep: HostSweepSettings = Field(default_factory=HostSweepSettings, alias="host-sweep")
    connectivity_errors: ConnectivityErrorsSettings = Field(
        default_factory=ConnectivityErrorsSettings, alias="connectivity-errors"
    )
    new_edge: NewEdgeSettings = Field(default_factory=NewEdgeSettings, alias="new-edge")
    external_egress: ExternalEgressSettings = Field(
        default_factory=ExternalEgressSettings, alias="external-egress"
    )
    dns_anomaly: DnsAnomalySettings = Field(default_factory=DnsAnomalySettings, alias="dns-anomaly")
    beaconing: BeaconingSettings = Field(default_factory=BeaconingSettings, alias="beaconing")
    silence: SilenceSettings = Field(default_factory=SilenceSettings, alias="silence")
    isolation_forest: IsolationForestSettings = Field(
        default_factory=IsolationForestSettings, alias="isolation-forest"
    )
    source_degraded: SourceDegradedSettings = Field(
        default_factory=SourceDegradedSettings, alias="source-degraded"
    )
