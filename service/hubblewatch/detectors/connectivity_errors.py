"""``connectivity-errors``: a notable share of a subject's connections fail, and did not before.

Signal: attempts that were reset, unanswered, or dropped for another reason than policy, and
significantly more of them than usual. Either in at least two of three windows at least five and a
tenth of the connections (look-ups aside); or in most of ten windows a few, a twentieth of the
connections: one a minute is much for a workload that makes ten and never failed. Windows in which a
node was silent or events were lost do not count: then answers are missing, and pods of a lost node
are unreachable for a reason that is known.

Defaults: below one in ten, retries hide errors from users, unless they last; a rollout passes
within one window.

Known false positives: clients that poll a service which is scaled to zero; a backend that refuses
connections as a way of shedding load.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Self

from pydantic import Field, model_validator

from hubblewatch.baseline.estimate import BaselineState, Estimate
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import RECENT_WINDOWS, Recent
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Finding, Reason, Severity, began, shown_evidence
from hubblewatch.detectors.wording import counted, from_whom, listed, name_of, span_of
from hubblewatch.window.closed import ClosedWindow
from hubblewatch.window.closing import Closing


class ConnectivityErrorsSettings(Block):
    """Which share and number of failures matter."""

    enabled: bool = True
    windows: int = Field(3, ge=2, le=RECENT_WINDOWS, description="Windows looked at.")
    bad_windows: int = Field(2, ge=1, description="So many of them must be bad, the last included.")
    failures: int = Field(5, ge=1, description="Failures that make a window bad.")
    total_failures: int = Field(15, ge=1, description="Failures in the bad windows together.")
    share: float = Field(0.10, gt=0, le=1, description="Share of connections, of a bad window.")
    deviations: float = Field(4.0, gt=0, description="Standard deviations of counting above usual.")
    lasting_windows: int = Field(
        6,
        ge=2,
        le=RECENT_WINDOWS,
        description="Of the last ten windows so many with a failure make a few of them lasting.",
    )
    lasting_share: float = Field(
        0.05, gt=0, le=1, description="Share of the connections of those ten windows."
    )
    lasting_deviations: float = Field(
        6.0,
        gt=0,
        description="Standard deviations of counting above usual for so few: any workload that "
        "fails now and then has a run of them once a day, by chance.",
    )
    restless: float = Field(
        2.0, gt=0, description="Standard deviations of the subject's own scatter above usual."
    )
    critical_share: float = Field(0.5, gt=0, le=1, description="Share for critical.")
    critical_failures: int = Field(100, ge=1, description="Failures for critical.")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.bad_windows > self.windows:
            raise ValueError(
                f"bad_windows ({self.bad_windows}) must not be above windows ({self.windows})"
            )
        return self


class ConnectivityErrors:
    """Finds connections that fail."""

    name = "connectivity-errors"

    def __init__(self, settings: ConnectivityErrorsSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject whose connections fail."""
        if not closing.is_complete or closing.completeness.silent_nodes:
            return
        settings = self._settings
        for window in closing.windows:
            if not window.failed + window.dropped:
                continue
            past = memory.subject(window.subject)
            estimate = memory.expected(window.subject, "failed", closing.start)
            recent = past.recent_since(closing.number - RECENT_WINDOWS + 1)
            recent = [r for r in recent if r.seen_whole]
            bad = [
                r
                for r in recent
                if r.number > closing.number - settings.windows and self._is_bad(r, estimate)
            ]
            if (
                len(bad) >= settings.bad_windows
                and bad[-1].number == closing.number
                and sum(r.failed for r in bad) >= settings.total_failures
            ):
                yield self._finding(window, bad, estimate, closing.number)
            elif self._lasts(recent, estimate):
                yield self._finding(window, recent, estimate, closing.number)

    def _is_bad(self, recent: Recent, estimate: Estimate) -> bool:
        settings = self._settings
        if recent.failed < max(settings.failures, settings.share * recent.connections):
            return False
        if estimate.state is BaselineState.COLD:
            return True
        usual = estimate.usual
        return (
            recent.failed > usual + settings.deviations * sqrt(usual + 1)
            and estimate.seen_deviation(recent.failed) > settings.restless
        )

    def _lasts(self, recent: list[Recent], estimate: Estimate) -> bool:
        settings = self._settings
        if estimate.state is BaselineState.COLD:
            return False
        failures = sum(r.failed for r in recent)
        expected = estimate.usual * len(recent)
        return (
            sum(1 for r in recent if r.failed) >= settings.lasting_windows
            and failures >= settings.lasting_share * sum(r.connections for r in recent)
            and failures > expected + settings.lasting_deviations * sqrt(expected + 1)
            and estimate.seen_deviation(failures / len(recent)) > settings.restless
        )

    def _finding(
        self, window: ClosedWindow, bad: list[Recent], estimate: Estimate, number: int
    ) -> Finding:
        settings = self._settings
        subject = window.subject
        windows = number - bad[0].number + 1
        failures = sum(r.failed for r in bad)
        connections = sum(r.connections for r in bad)
        share = failures / max(connections, failures)
        usual = 0.0 if estimate.state is BaselineState.COLD else estimate.usual
        low, high = estimate.quantile_range() if estimate.count else (0.0, 1.0)
        peers, evidence, unnamed = shown_evidence(window, "broken")
        critical = share >= settings.critical_share and failures >= settings.critical_failures
        kinds = [
            text
            for number, text in (
                (window.failed, f"{window.failed} reset or unanswered"),
                (window.dropped, f"{window.dropped} dropped on the way, not by policy"),
            )
            if number
        ]
        return Finding(
            detector=self.name,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            subject=subject,
            observed=float(failures),
            expected=usual * len(bad),
            unit="failed attempts",
            summary=(
                f"{share:.0%} of the connections {from_whom(subject)} fail: "
                f"{counted(failures, 'attempt')} within {span_of(window, windows)}; "
                f"usual is {usual * len(bad):,.0f}"
            ),
            description=(
                f"In the last window {' and '.join(kinds)}. Most frequent: "
                f"{listed(evidence.edges, 3)}. The peer is down, overloaded, or not reachable; "
                "no policy denied these."
            ),
            recommendation=(
                "See whether the peers named run and are ready, whether their service has "
                f"endpoints, and whether {name_of(subject)} still uses an old address. Drops that "
                "no policy made point at the network itself (cilium-dbg monitor --type drop)."
            ),
            reasons=[Reason("failed", float(window.failed + window.dropped), low, high)],
            score=estimate.deviation(bad[-1].failed),
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, windows),
            baseline=str(estimate.state),
            needs_all_nodes=True,
        )
