"""The list of detectors, and which hides which."""

from __future__ import annotations

from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.policy_denials import PolicyDenials
from hubblewatch.detectors.settings import DetectorSettings

PARENTS: dict[str, frozenset[str]] = {
    "policy-denials": frozenset({"port-scan", "host-sweep"}),
    "connectivity-errors": frozenset({"port-scan", "host-sweep"}),
    "new-edge": frozenset({"port-scan", "host-sweep", "namespace-sprawl"}),
}
"""A finding is not alerted while one of its parents fires for the same subject: it is an effect."""


def build_detectors(settings: DetectorSettings) -> list[Detector]:
    """Give the enabled detectors in the order in which they look."""
    detectors: list[Detector] = []
    if settings.policy_denials.enabled:
        detectors.append(PolicyDenials(settings.policy_denials))
    return detectors
