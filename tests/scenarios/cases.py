"""What detection is held to: which scenarios must be quiet, and which found how soon."""

from __future__ import annotations

from dataclasses import dataclass

from hubblewatch.simulate import Size

SEEDS = (11, 23, 37, 58, 71)

QUIET = (
    "quiet",
    "rollout",
    "batch-peak",
    "scale-out",
    "duplicate-delivery",
    "late-lines",
    "node-loss",
    "day-cycle",
    "new-service",
    "exporter-restart",
)
"""Disturbances that must raise neither warning nor critical."""


@dataclass(frozen=True)
class Attack:
    """A scenario, the detector that must find it, and within how many windows.

    ``parent`` may find it instead, and then hides the detector.
    """

    scenario: str
    detector: str
    windows: int = 3
    size: Size = Size.MEDIUM
    parent: str = ""

    @property
    def detectors(self) -> tuple[str, ...]:
        """Any of these finds it."""
        return (self.detector, self.parent) if self.parent else (self.detector,)


ATTACKS = (
    Attack("policy-break", "policy-denials"),
    Attack("denied-probe", "policy-denials"),
    Attack("udp-flood", "udp-spike"),
    Attack("udp-share-shift", "udp-spike"),
    Attack("namespace-sprawl-fast", "namespace-sprawl"),
    Attack("port-scan", "port-scan"),
    Attack("host-sweep", "host-sweep"),
    Attack("connectivity-errors", "connectivity-errors"),
    Attack("lateral-movement", "new-edge", parent="namespace-sprawl"),
    Attack("new-egress", "external-egress"),
    Attack("dns-tunnel", "dns-anomaly"),
    # Ten intervals of a minute.
    Attack("beacon", "beaconing", windows=12),
    Attack("ring-buffer-loss", "source-degraded"),
)

ABRUPT = tuple(
    attack
    for attack in ATTACKS
    if attack.scenario
    in ("policy-break", "udp-flood", "port-scan", "host-sweep", "connectivity-errors")
)
"""Attacks that must be found in a recording of ten minutes too, all baselines cold."""

SLOW = Attack("namespace-sprawl-slow:at=125", "namespace-sprawl", windows=32)
"""One new namespace in four minutes: how many it takes depends on the two hours before."""

SLOW_MINUTES = 175
SLOW_RATE = 4.0
"""Connections a second: with those of a whole cluster it takes a quarter of an hour a seed."""

STOPS_AT = 65
STOP_MINUTES = 78
"""A subject must have been there for an hour before its silence says anything."""

STOP = Attack(f"workload-stop:at={STOPS_AT}", "silence", windows=10)

NO_STOP = (
    f"rollout:at={STOPS_AT}",
    # Half of what it does otherwise in a minute, for an hour, and then no more.
    f"batch-peak:at=2:for={STOPS_AT}:intensity=0.05",
    f"node-loss:at={STOPS_AT}",
    f"exporter-restart:at={STOPS_AT}:intensity=30",
)
"""What makes workloads silent, or seem so, without one that stopped."""
