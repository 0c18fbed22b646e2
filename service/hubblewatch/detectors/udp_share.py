"""The namespace's part of ``udp-spike``: UDP takes over most of what a namespace attempts.

Signal: in two windows in a row UDP is at least 70 % of the namespace's attempts, and apart from the
look-ups that go with connections the odds of UDP are three times what they were or more, with more
UDP than usual by at least 50 attempts. Odds, because 10 % more mean little at 30 % and much at
90 %; UDP above usual, because the share also rises when TCP stops.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Protocol

from hubblewatch.baseline.features import unexplained_udp
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import NamespaceMemory, NamespaceRecent
from hubblewatch.detectors.finding import (
    Evidence,
    Finding,
    PeerRef,
    Reason,
    Severity,
    Unnamed,
    began,
)
from hubblewatch.detectors.wording import counted, listed
from hubblewatch.window.closed import OUTBOUND, Subject
from hubblewatch.window.closing import Closing

_LEAST_PAST = 3
_WINDOWS = 2
_MAX_WORKLOADS = 10


class ShareSettings(Protocol):
    """The part of the detector's settings that the share needs."""

    @property
    def namespace_share(self) -> float: ...
    @property
    def namespace_attempts(self) -> int: ...
    @property
    def odds_ratio(self) -> float: ...


def inspect_shares(closing: Closing, memory: Memory, settings: ShareSettings) -> Iterable[Finding]:
    """Give a finding for each namespace whose UDP share is newly high in two windows in a row."""
    for name in sorted({window.subject.namespace for window in closing.windows}):
        past = memory.namespace(name)
        recent = [r for r in past.recent if r.number > closing.number - _WINDOWS]
        if len(recent) == _WINDOWS and all(
            _is_high(r, past, settings) and _is_more(r.unexplained, name, closing, memory, settings)
            for r in recent
        ):
            yield _finding(closing, name, recent[-1], past)


def _is_high(recent: NamespaceRecent, past: NamespaceMemory, settings: ShareSettings) -> bool:
    if past.udp_share.count < _LEAST_PAST or recent.attempts < settings.namespace_attempts:
        return False
    if recent.udp < settings.namespace_share * recent.attempts:
        return False
    if not _is_beyond(recent.unexplained, past.udp.usual, settings):
        return False
    usual = past.udp_share.usual / 100
    now = recent.unexplained / recent.connections
    # Half an attempt on each side keeps the odds finite (J. B. S. Haldane, 1956).
    half = 0.5 / recent.connections
    odds = (now + half) / (1 - now + half)
    usual_odds = (usual + half) / (1 - usual + half)
    return odds >= settings.odds_ratio * usual_odds


def _is_beyond(udp: float, usual: float, settings: ShareSettings) -> bool:
    return udp - usual >= max(settings.namespace_attempts, 4 * sqrt(usual + 1))


def _is_more(
    udp: float, name: str, closing: Closing, memory: Memory, settings: ShareSettings
) -> bool:
    """Tell whether it is more than the namespace's workloads have at this time of the week."""
    usual = sum(
        memory.expected(window.subject, "udp", closing.start).usual
        for window in closing.windows
        if window.subject.namespace == name
    )
    return _is_beyond(udp, usual, settings)


def _finding(
    closing: Closing, name: str, recent: NamespaceRecent, past: NamespaceMemory
) -> Finding:
    share = recent.udp / recent.attempts
    usual = past.udp_share.usual / 100
    windows = sorted(
        (w for w in closing.windows if w.subject.namespace == name and unexplained_udp(w)),
        key=lambda w: (-unexplained_udp(w), w.subject),
    )
    unnamed = Unnamed(peers=len(windows) > _MAX_WORKLOADS)
    windows = windows[:_MAX_WORKLOADS]
    busiest = [f"{w.subject.workload} ({unexplained_udp(w)})" for w in windows]
    low, high = past.udp_share.quantile_range()
    return Finding(
        detector="udp-spike",
        severity=Severity.WARNING,
        subject=Subject(name, "", OUTBOUND),
        key="share",
        observed=round(100 * recent.unexplained / recent.connections, 1),
        expected=round(100 * usual, 1),
        unit="% UDP",
        summary=(
            f"UDP is {share:.0%} of the attempts in namespace {name}, in two windows in a row; "
            f"look-ups for connections aside it is {recent.unexplained / recent.connections:.0%}, "
            f"usual is {usual:.0%}"
        ),
        description=(
            f"{counted(recent.unexplained, 'UDP attempt')} that no connection's name resolution "
            f"explains, usual is {past.udp.usual:,.0f}. By workload: {listed(busiest)}. A "
            "namespace whose traffic turns to UDP either got a new UDP service, or something in it "
            "floods, tunnels or has fallen back from TCP."
        ),
        recommendation=(
            "See which workload sends it and where to. If a new service is the reason, suppress "
            "this for the namespace for a day; otherwise isolate the workload with an egress "
            "policy."
        ),
        reasons=[
            Reason("udp_share", 100 * recent.unexplained / recent.connections, low, min(high, 100))
        ],
        score=past.udp.deviation(recent.unexplained),
        peers=[PeerRef(w.subject.workload, name, attempts=unexplained_udp(w)) for w in windows],
        evidence=Evidence(edges=[f"{name}/{text}" for text in busiest]),
        unnamed=unnamed,
        since=began(closing, _WINDOWS),
        protocol="udp",
        baseline=str(past.udp_share.state),
    )
