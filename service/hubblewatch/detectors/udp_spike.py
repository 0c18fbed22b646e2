"""``udp-spike``: far more UDP than usual from one subject, or in one namespace's share of traffic.

Signal: UDP attempts that name resolution does not explain (see ``unexplained_udp``), against the
subject's own past, as a robust z-score, a ratio and an absolute excess, all three; critical from
ten times the usual and a thousand a window. Where TCP rises too, as much more UDP is expected: that
is load. A subject without a past of its own is compared with the others of its namespace. The
namespace's share is judged in ``udp_share``.

Defaults: 100 attempts a window are under two a second, what one chatty client makes; a factor of
three lies beyond a day's cycle.

Known false positives: a UDP service that is switched on (metrics, logs, media, QUIC); a resolver
whose cache was emptied or whose clients flood it; bursts without TCP that come once an hour or so.
Not seen: a flood through one socket is one attempt, for Hubble's events tell no volume.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.estimate import BaselineState, Estimate
from hubblewatch.baseline.features import LOOKUPS_PER_CONNECTION, unexplained_udp
from hubblewatch.baseline.memory import Memory
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Finding, Reason, Severity, shown_evidence
from hubblewatch.detectors.population import is_from_the_beginning, usual_of_others
from hubblewatch.detectors.udp_share import inspect_shares
from hubblewatch.detectors.wording import counted, from_whom, listed, name_of, span_of
from hubblewatch.window.closed import ClosedWindow
from hubblewatch.window.closing import Closing

_DNS_PORT = 53
_LEAST_PAST = 3
"""Values from which a cold subject's own median says something."""
_LEAST_OTHERS = 2
"""Other subjects of the namespace from which they say what is usual."""
_LOAD_NOISE = 10
"""TCP attempts a window below which their number says nothing of load."""


class UdpSpikeSettings(Block):
    """How far above the usual UDP has to be."""

    enabled: bool = True
    excess_attempts: int = Field(
        100, ge=1, description="Attempts a window above the usual; fewer are no flood."
    )
    ratio: float = Field(3.0, gt=1, description="Times the usual number.")
    deviations: float = Field(4.0, gt=0, description="Robust standard deviations above the usual.")
    cold_factor: float = Field(
        3.0,
        ge=1,
        description="By how much ratio and excess are stricter for a subject with few windows.",
    )
    unknown_attempts: int = Field(
        1_000, ge=1, description="Excess for a subject without any past: 17 a second."
    )
    critical_ratio: float = Field(10.0, gt=1, description="Times the usual number for critical.")
    critical_attempts: int = Field(1_000, ge=1, description="Attempts a window for critical.")
    namespace_share: float = Field(
        0.70, gt=0, lt=1, description="UDP share of a namespace's attempts that is worth a word."
    )
    namespace_attempts: int = Field(
        50, ge=1, description="Attempts a window, and UDP ones above the usual, for that share."
    )
    odds_ratio: float = Field(
        3.0,
        gt=1,
        description="By what factor the odds of UDP against the rest must have risen.",
    )


class _Usual(Struct):
    """What to compare with: ``usual`` attempts, and the demands for something with such a past."""

    usual: float
    ratio: float
    excess: float
    basis: str


class UdpSpike:
    """Finds floods of UDP."""

    name = "udp-spike"

    def __init__(self, settings: UdpSpikeSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each subject, and for each namespace, whose UDP is far above usual."""
        for window in closing.windows:
            if unexplained_udp(window) >= self._settings.excess_attempts:
                finding = self._judge(window, closing, memory)
                if finding is not None:
                    yield finding
        yield from inspect_shares(closing, memory, self._settings)

    def _judge(self, window: ClosedWindow, closing: Closing, memory: Memory) -> Finding | None:
        settings = self._settings
        estimate = memory.expected(window.subject, "udp", closing.start)
        udp = unexplained_udp(window)
        against = self._usual(window, estimate, closing, memory)
        if against is None:
            return None
        usual_tcp = memory.expected(window.subject, "tcp", closing.start).usual
        usual = against.usual * _load(window, usual_tcp)
        if udp - usual < against.excess or udp < against.ratio * usual:
            return None
        if estimate.state is not BaselineState.COLD and (
            estimate.deviation(udp) < settings.deviations
        ):
            return None
        is_critical = (
            udp >= settings.critical_ratio * max(usual, 1) and udp >= settings.critical_attempts
        )
        low, high = estimate.quantile_range() if estimate.count else (0.0, usual)
        return self._finding(
            window,
            udp,
            usual,
            Severity.CRITICAL if is_critical else Severity.WARNING,
            Reason("udp", float(udp), low, high),
            against.basis,
            estimate,
        )

    def _usual(
        self, window: ClosedWindow, estimate: Estimate, closing: Closing, memory: Memory
    ) -> _Usual | None:
        settings = self._settings
        if estimate.state is not BaselineState.COLD:
            return _Usual(
                estimate.usual, settings.ratio, settings.excess_attempts, "from its own past"
            )
        if estimate.count >= _LEAST_PAST:
            return _Usual(
                estimate.usual,
                settings.ratio * settings.cold_factor,
                settings.excess_attempts * settings.cold_factor,
                f"from its first {estimate.count} windows",
            )
        others = usual_of_others(window.subject, "udp", unexplained_udp, closing, memory)
        if is_from_the_beginning(memory.subject(window.subject), memory.stream):
            # It may have been like this for years: only what stands out from all others counts.
            if len(others) < _LEAST_OTHERS:
                return None
            return _Usual(
                others[-1],
                settings.ratio * settings.cold_factor,
                settings.unknown_attempts,
                "as in the busiest other workload of its namespace, for it has no past yet",
            )
        return _Usual(
            others[len(others) * 9 // 10] if others else 0.0,
            settings.ratio,
            settings.unknown_attempts,
            "as in nine of ten other workloads of its namespace, for it is new",
        )

    def _finding(
        self,
        window: ClosedWindow,
        udp: int,
        usual: float,
        severity: Severity,
        reason: Reason,
        basis: str,
        estimate: Estimate,
    ) -> Finding:
        subject = window.subject
        others = window.udp - window.udp_dns
        # Where both would be a flood by themselves, it is about both.
        both = min(others, udp - others) >= self._settings.excess_attempts
        lookups = not both and udp - others > others
        peers, evidence, unnamed = shown_evidence(
            window,
            "attempts",
            lambda edge: edge.protocol == "udp" and (both or (edge.port == _DNS_PORT) == lookups),
        )
        ports = sorted({port for peer in peers for port in peer.ports})
        what = "DNS look-up" if lookups else "UDP attempt"
        why = (
            "So many look-ups beyond what connections need can be a resolver problem, a retry "
            "loop, or data carried out in DNS names."
            if lookups
            else "New UDP in such numbers can be a flood, an amplification attack, a tunnel, or a "
            "client that opens a socket for each datagram."
        )
        return Finding(
            detector=self.name,
            severity=severity,
            subject=subject,
            observed=float(udp),
            expected=usual,
            unit="UDP attempts",
            summary=(
                f"{counted(udp, what)} {from_whom(subject)} within {span_of(window)}; "
                f"usual is {usual:,.0f}, {basis}"
            ),
            description=(
                f"Most frequent: {listed(evidence.edges, 3)}. Look-ups that go with TCP "
                f"connections ({LOOKUPS_PER_CONNECTION} for each) are not counted. {why}"
            ),
            recommendation=(
                f"Look at what the pods of {name_of(subject)} send to UDP port "
                f"{listed(map(str, ports))} with the command given. If it is not wanted, cut it "
                "with an egress policy and find the process; if it is new and wanted, it becomes "
                "usual within a day or two, or suppress it until then."
            ),
            reasons=[reason],
            score=estimate.deviation(udp),
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            protocol="udp",
            ports=ports,
            baseline=str(estimate.state),
        )


def _load(window: ClosedWindow, usual: float) -> float:
    """By what factor the subject's TCP is above its usual, at least 1: so much more UDP is load."""
    return max(1.0, (window.tcp + _LOAD_NOISE) / (usual + _LOAD_NOISE))
