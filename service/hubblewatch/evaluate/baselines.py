"""What detection is compared with: thresholds as most rule sets have them, and robust z alone."""

from __future__ import annotations

from collections.abc import Iterable

from hubblewatch.baseline.estimate import BaselineState
from hubblewatch.baseline.features import features
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.finding import Finding, Reason, Severity
from hubblewatch.window.closed import Subject
from hubblewatch.window.closing import Closing

MAX_DENIALS = 10
MAX_UDP_SHARE = 0.7
MAX_NAMESPACES = 5
"""What public collections of flow alerts use, whatever the workload."""

LEAST_DEVIATION = 4.0
"""The deviation that the rules ask for, too."""


class FixedThresholds:
    """More than 10 denials, 70 % UDP or 5 namespaces in a window, for everybody alike."""

    name = "fixed-thresholds"

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each subject beyond one of them."""
        for window in closing.windows:
            passed = {
                "denied": (float(window.denied), float(MAX_DENIALS)),
                "udp_share": (window.udp / max(window.attempts, 1), MAX_UDP_SHARE),
                "namespaces": (float(len(window.peer_namespaces)), float(MAX_NAMESPACES)),
            }
            for feature, (observed, most) in passed.items():
                if observed > most:
                    yield _finding(self.name, window.subject, feature, observed, most)


class RobustZ:
    """Any count four robust deviations above the subject's own past; no floors, no persistence."""

    name = "robust-z"

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each subject with such a count."""
        if not closing.is_complete:
            return
        for window in closing.windows:
            past = memory.subject(window.subject)
            for feature, value in features(window).items():
                estimate = past.estimate(feature)
                if estimate.state is BaselineState.COLD:
                    continue
                if estimate.deviation(value) >= LEAST_DEVIATION:
                    yield _finding(self.name, window.subject, feature, value, estimate.usual)


def _finding(
    detector: str, subject: Subject, feature: str, observed: float, usual: float
) -> Finding:
    return Finding(
        detector=detector,
        severity=Severity.WARNING,
        subject=subject,
        observed=observed,
        expected=usual,
        unit=feature,
        summary=f"{feature} {observed:g}, usual {usual:g}",
        description="",
        recommendation="",
        reasons=[Reason(feature, observed, 0.0, usual)],
    )
