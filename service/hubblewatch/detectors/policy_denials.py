"""``policy-denials``: attempts of a subject that network policy denies, and that were not usual.

Signal: denied attempts (TCP, UDP, SCTP; each connection once, whatever its retransmissions),
compared with the subject's own past: over three windows, or a few in nearly each of ten (warning),
or many in one (critical). ICMP never counts: rollouts and path discovery make bursts of it.

Known false positives: a policy that was tightened on purpose while clients still try; a pod that
starts before its policy is in place and retries until then; denials that were there before the
first window, until the baseline has learned them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.estimate import BaselineState, Estimate
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import RECENT_WINDOWS, SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Finding, Reason, Severity, began, shown_evidence
from hubblewatch.detectors.wording import counted, from_whom, listed, name_of, span_of
from hubblewatch.window.closed import ClosedWindow
from hubblewatch.window.closing import Closing


class PolicyDenialsSettings(Block):
    """Floors below which no denial is worth a person's time, whatever the statistics say."""

    enabled: bool = True
    windows: int = Field(3, ge=2, le=RECENT_WINDOWS, description="Windows summed for persistence.")
    persistent_attempts: int = Field(
        6,
        ge=1,
        description="Denied attempts over those windows from which they count; two a window.",
    )
    lasting_windows: int = Field(
        7,
        ge=2,
        le=RECENT_WINDOWS,
        description="Of the last ten windows so many with a denial make a slow, lasting one: a "
        "client that retries each minute, rather than a stray attempt now and then.",
    )
    burst_attempts: int = Field(
        30,
        ge=2,
        description="Denied attempts in one window that make a burst: one every two seconds, more "
        "than a client that retries one connection makes (a SYN is retried at 1, 3, 7, 15 s).",
    )
    burst_ratio: float = Field(5.0, gt=1, description="A burst is so many times the usual number.")
    deviations: float = Field(4.0, gt=0, description="Standard deviations of counting above usual.")
    restless: float = Field(
        2.0, gt=0, description="Standard deviations of the subject's own scatter above usual."
    )


class _Case(Struct):
    severity: Severity
    denied: int
    usual: float
    windows: int


class PolicyDenials:
    """Finds denied attempts that persist or burst."""

    name = "policy-denials"

    def __init__(self, settings: PolicyDenialsSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject whose denials persist or burst."""
        for window in closing.windows:
            if window.denied:
                past = memory.subject(window.subject)
                estimate = memory.expected(window.subject, "denied", closing.start)
                case = self._judge(window, closing.number, past, estimate)
                if case is not None:
                    yield self._finding(window, case, estimate)

    def _judge(
        self, window: ClosedWindow, number: int, past: SubjectMemory, estimate: Estimate
    ) -> _Case | None:
        settings = self._settings
        usual = 0.0 if estimate.state is BaselineState.COLD else estimate.usual
        if (
            window.denied >= settings.burst_attempts
            and window.denied > settings.burst_ratio * usual
            and window.denied > usual + 2 * settings.deviations * sqrt(usual + 1)
        ):
            return _Case(Severity.CRITICAL, window.denied, usual, 1)
        for windows, least, attempts in (
            (settings.windows, 2, settings.persistent_attempts),
            (RECENT_WINDOWS, settings.lasting_windows, settings.lasting_windows),
        ):
            recent = [r.denied for r in past.recent_since(number - windows + 1)]
            total = sum(recent)
            expected = usual * windows
            if (
                total >= attempts
                and sum(1 for denied in recent if denied) >= least
                and total > expected + settings.deviations * sqrt(expected + 1)
                and (usual == 0 or estimate.seen_deviation(total / windows) > settings.restless)
            ):
                return _Case(Severity.WARNING, total, expected, windows)
        return None

    def _finding(self, window: ClosedWindow, case: _Case, estimate: Estimate) -> Finding:
        subject = window.subject
        low, high = estimate.quantile_range() if estimate.count else (0.0, 1.0)
        peers, evidence, unnamed = shown_evidence(window, "denied")
        first = evidence.edges[0] if evidence.edges else name_of(subject)
        named = (
            f"denied by {listed(evidence.policies)}"
            if evidence.policies
            else "no policy allows them, and a default deny has no name"
        )
        return Finding(
            detector=self.name,
            severity=case.severity,
            subject=subject,
            observed=float(case.denied),
            expected=case.usual,
            unit="denied attempts",
            summary=(
                f"Network policy denied {counted(case.denied, 'connection attempt')} "
                f"{from_whom(subject)} within {span_of(window, case.windows)}; "
                f"usual is {case.usual:,.0f}"
            ),
            description=(
                f"Most frequent: {first}; {named}. Each connection counts once, however often it "
                "was retried. Either a policy or a deployment changed and a needed connection is "
                "cut, or the workload tries what it should not."
            ),
            recommendation=(
                "Compare the edges with recent policy and deployment changes. If the connection is "
                "needed, allow it in a CiliumNetworkPolicy; if not, find out what in the pod opens "
                "it."
            ),
            reasons=[Reason("denied", float(window.denied), low, high)],
            score=estimate.deviation(window.denied),
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, case.windows),
            verdict="DROPPED",
            baseline=str(estimate.state),
        )
