"""``policy-denials``: attempts of a subject that network policy denies, and that were not usual.

Signal: denied attempts (TCP, UDP, SCTP; each connection once, whatever its retransmissions), summed
over three windows and compared with the subject's own past. Persistent ones are a warning, a burst
is critical. ICMP never counts: rollouts and path discovery make bursts of it.

Known false positives: a policy that was tightened on purpose while clients still try; a pod that
starts before its policy is in place and retries until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from pydantic import BaseModel, ConfigDict, Field

from hubblewatch.baseline.estimate import BaselineState
from hubblewatch.baseline.memory import Memory, SubjectMemory
from hubblewatch.detectors.finding import Finding, Reason, Severity, shown_evidence
from hubblewatch.window.closed import ClosedWindow
from hubblewatch.window.closing import Closing


class PolicyDenialsSettings(BaseModel):
    """Floors below which no denial is worth a person's time, whatever the statistics say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    windows: int = Field(3, ge=2, le=10, description="Windows summed for persistence.")
    persistent_attempts: int = Field(
        6,
        ge=1,
        description="Denied attempts over those windows from which they count; two a window.",
    )
    burst_attempts: int = Field(
        30,
        ge=2,
        description="Denied attempts in one window that make a burst: one every two seconds, more "
        "than a client that retries one connection makes (a SYN is retried at 1, 3, 7, 15 s).",
    )
    burst_ratio: float = Field(5.0, gt=1, description="A burst is so many times the usual number.")
    deviations: float = Field(4.0, gt=0, description="Standard deviations above the usual number.")


class PolicyDenials:
    """Finds denied attempts that persist or burst."""

    name = "policy-denials"

    def __init__(self, settings: PolicyDenialsSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject whose denials persist or burst."""
        for window in closing.windows:
            if window.denied:
                finding = self._judge(window, closing, memory.subject(window.subject))
                if finding is not None:
                    yield finding

    def _judge(
        self, window: ClosedWindow, closing: Closing, memory: SubjectMemory
    ) -> Finding | None:
        settings = self._settings
        estimate = memory.estimate("denied")
        usual = 0.0 if estimate.state is BaselineState.COLD else estimate.usual
        span = settings.windows
        recent = [r.denied for r in memory.recent_since(closing.number - span + 1)]
        total = sum(recent)
        expected_total = usual * span
        persists = (
            total >= settings.persistent_attempts
            and sum(1 for denied in recent if denied) >= 2
            and total > expected_total + settings.deviations * sqrt(expected_total + 1)
            and (estimate.state is BaselineState.COLD or estimate.deviation(total / span) > 2)
        )
        bursts = (
            window.denied >= settings.burst_attempts
            and window.denied > settings.burst_ratio * usual
            and window.denied > usual + 2 * settings.deviations * sqrt(usual + 1)
        )
        if not persists and not bursts:
            return None
        low, high = estimate.quantile_range() if estimate.count else (0.0, 1.0)
        peers, evidence = shown_evidence(window, "denied")
        subject = window.subject
        inbound = subject.direction == "inbound"
        who = f"{subject.namespace}/{subject.workload}"
        first = evidence.edges[0] if evidence.edges else who
        if bursts:
            how = f"{window.denied} connection attempts {'to' if inbound else 'of'} {who}"
            summary = f"{how} denied by network policy in one window; usual is {usual:.0f}"
        else:
            how = f"{total} connection attempts {'to' if inbound else 'of'} {who}"
            summary = (
                f"{how} denied by network policy in {span} windows; usual is {expected_total:.0f}"
            )
        named = (
            f"decided by {', '.join(evidence.policies)}"
            if evidence.policies
            else "no policy allows them (default deny names none)"
        )
        return Finding(
            detector=self.name,
            severity=Severity.CRITICAL if bursts else Severity.WARNING,
            subject=subject,
            observed=float(window.denied if bursts else total),
            expected=usual if bursts else expected_total,
            unit="denied attempts",
            summary=summary,
            description=(
                f"Each attempt is one connection, counted once. Most frequent: {first}; {named}. "
                "Either a policy or a deployment changed and a needed connection is cut, or the "
                "workload tries what it should not."
            ),
            recommendation=(
                "Compare the edges with recent policy and deployment changes. If the connection is "
                "needed, allow it in a CiliumNetworkPolicy; if not, find out what opens it."
            ),
            reasons=[Reason("denied", float(window.denied), low, high)],
            score=estimate.deviation(window.denied) if estimate.count else float(window.denied),
            peers=peers,
            evidence=evidence,
            pods=sorted(window.pods),
            verdict="DROPPED",
            baseline=str(estimate.state),
        )
