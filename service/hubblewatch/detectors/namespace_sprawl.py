"""``namespace-sprawl``: a subject reaches into ever more namespaces.

Signal: the distinct namespaces it contacted in the last 60 windows (360 when it goes slowly) are
more than five, and so many new ones among them would be a rare chance at the rate at which it met
new ones before (``novelty.chance_of_more``). That rate is a guess where it was watched briefly: so
a burst is told soon and a slow succession once there is a past to tell it from. While nothing but
the beginning is known, the namespaces met only once stand for the rate (I. J. Good, The Population
Frequencies of Species, 1953). What a subject as old as the stream contacts in its first three
windows is taken as given; one that appears later has an empty past, and is told when it begins with
more than five at once.

Defaults: five namespaces are what an ordinary service with DNS, monitoring and a few partners has.

Known false positives: a new monitoring, backup or security workload; an ingress controller when
many new namespaces are created at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import Span, StreamMemory, SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.finding import (
    Finding,
    PeerRef,
    Reason,
    Severity,
    Unnamed,
    began,
    shown_evidence,
)
from hubblewatch.detectors.novelty import (
    AT_ONCE_WINDOWS,
    HOUR,
    WATCHED_WINDOWS,
    chance_of_more,
    not_watched_through,
    note_told,
    settled_through,
    watched_before,
)
from hubblewatch.detectors.population import is_from_the_beginning
from hubblewatch.detectors.wording import counted, listed, name_of, span_of
from hubblewatch.window.closed import INBOUND, ClosedWindow
from hubblewatch.window.closing import Closing

_SLOW = 6 * HOUR
_NEWS_WINDOWS = 10
"""So long after the last new one it goes on; then it has stopped."""

_MAX_SHOWN = 20


class NamespaceSprawlSettings(Block):
    """How many namespaces are many."""

    enabled: bool = True
    namespaces: int = Field(
        5,
        ge=1,
        description="Distinct namespaces in the last 60 windows; above that it can be sprawl.",
    )
    new_namespaces: int = Field(3, ge=1, description="New ones among them, at least.")
    growth: float = Field(
        0.5, ge=0, description="New ones as a share of those known before, at least."
    )
    chance: float = Field(
        1e-5,
        gt=0,
        lt=1,
        description="Probability of so many by the subject's own rate, at most. It is asked anew "
        "with each new namespace of each subject.",
    )
    chance_at_once: float = Field(
        1e-2,
        gt=0,
        lt=1,
        description="The same for those within five windows, of a subject watched for ten.",
    )
    warm_up_windows: int = Field(
        3, ge=1, description="First windows of a subject as old as the stream, taken as given."
    )
    critical_namespaces: int = Field(10, ge=1, description="New namespaces for critical.")


class _Sprawl(Struct):
    lately: int
    """Windows in which all of these were contacted; in ``windows`` of them the new ones came."""

    windows: int
    since: int
    """When the first of them began, epoch seconds."""

    contacted: set[str]
    new: list[str]
    known: int
    expected: float


class NamespaceSprawl:
    """Finds subjects that spread over namespaces."""

    name = "namespace-sprawl"

    def __init__(self, settings: NamespaceSprawlSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each subject that meets more new namespaces than its past explains."""
        least = self._settings.namespaces
        for window in closing.windows:
            past = memory.subject(window.subject)
            if window.subject.direction == INBOUND or (
                len(past.namespaces) + len(window.peer_namespaces) <= least
            ):
                continue
            sprawl = self._judge(window, past, closing.number, memory.stream)
            if sprawl is not None:
                note_told(past, self.name, closing.number)
                yield self._finding(window, past, sprawl)

    def _judge(
        self, window: ClosedWindow, past: SubjectMemory, number: int, stream: StreamMemory
    ) -> _Sprawl | None:
        settings = self._settings
        met = dict(past.namespaces)
        for name in window.peer_namespaces:
            met.setdefault(name, Span(number, number))
        given = past.first - 1
        if is_from_the_beginning(past, stream):
            given += settings.warm_up_windows
        given = max(given, number - _SLOW, settled_through(past, self.name, number))
        news = sorted((-span.first, name) for name, span in met.items() if span.first > given)
        if not news or -news[0][0] <= number - _NEWS_WINDOWS:
            return None
        latest = -news[0][0]
        for count in range(settings.new_namespaces, len(news) + 1):
            since = -news[count - 1][0]
            if count < len(news) and -news[count][0] == since:
                continue  # they came in one window and are judged together
            known = [span for span in met.values() if span.first < since]
            if count < settings.growth * len(known):
                continue
            windows = latest - since + 1
            expected = self._expected(past, known, count, since, windows)
            if expected is None:
                continue
            lately = HOUR if number - since < HOUR else _SLOW
            contacted = {n for n, span in met.items() if span.last > number - lately}
            contacted |= window.peer_namespaces
            if len(contacted) > settings.namespaces:
                new = sorted(name for _, name in news[:count])
                begin = began(window, number - since + 1)
                return _Sprawl(lately, windows, begin, contacted, new, len(known), expected)
        return None

    def _expected(
        self, past: SubjectMemory, known: list[Span], count: int, since: int, windows: int
    ) -> float | None:
        """Give how many were to be expected; None if ``count`` may well be chance."""
        settings = self._settings
        at_once = windows <= AT_ONCE_WINDOWS
        if not known:
            return 0.0 if at_once and count > settings.namespaces else None
        watched = watched_before(past, since)
        chance = settings.chance
        if watched < WATCHED_WINDOWS:
            watched = since - past.first
            arrivals = sum(1 for span in known if span.seen_once_before(since))
        else:
            unwatched = not_watched_through(past, since)
            arrivals = sum(1 for span in known if span.first > unwatched)
            if at_once:
                chance = settings.chance_at_once
        if chance_of_more(count, windows, arrivals, watched) > chance:
            return None
        return (arrivals + 0.5) * windows / watched

    def _finding(self, window: ClosedWindow, past: SubjectMemory, sprawl: _Sprawl) -> Finding:
        subject = window.subject
        new = set(sprawl.new)
        peers, evidence, unnamed = shown_evidence(
            window, "attempts", lambda edge: edge.namespace in new
        )
        shown = {peer.namespace for peer in peers}
        peers += [PeerRef("", name) for name in sprawl.new if name not in shown]
        unnamed = Unnamed(
            unnamed.peers or len(peers) > _MAX_SHOWN,
            unnamed.ports or not all(peer.ports for peer in peers),
        )
        pace = (
            f"within {span_of(window, sprawl.windows)}"
            if sprawl.windows <= AT_ONCE_WINDOWS
            else f"one after another in {span_of(window, sprawl.windows)}"
        )
        is_critical = len(new) >= self._settings.critical_namespaces and len(new) > 2 * sprawl.known
        return Finding(
            detector=self.name,
            severity=Severity.CRITICAL if is_critical else Severity.WARNING,
            subject=subject,
            observed=float(len(sprawl.contacted)),
            expected=float(sprawl.known),
            unit="namespaces",
            summary=(
                f"{name_of(subject)} contacted {counted(len(sprawl.contacted), 'namespace')} in "
                f"the last {_hours(window, sprawl.lately)}, {len(new)} of them for the first time, "
                f"{pace}; before it knew {sprawl.known}"
            ),
            description=(
                f"New are {listed(sprawl.new)}. From its own past {sprawl.expected:.1f} new ones "
                "were to be expected. A workload that reaches into namespaces it had nothing to do "
                "with can be a compromised pod that looks around, or a new role of the workload."
            ),
            recommendation=(
                "Ask the owner whether the workload is meant to reach these namespaces, as "
                "monitoring, backup and ingress are. If not, look at what its pods run and who "
                "started it, and limit its egress to the namespaces it needs."
            ),
            reasons=[
                Reason("new_namespaces", float(len(new)), 0.0, sprawl.expected, 1.0),
            ],
            score=len(new) / max(sprawl.expected, 1.0),
            peers=peers[:_MAX_SHOWN],
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=sprawl.since,
            baseline=str(past.state),
        )


def _hours(window: ClosedWindow, windows: int) -> str:
    """Give how long so many windows are: ``hour``, ``6 hours``, ``10 minutes``."""
    hours, rest = divmod((window.end - window.start) * windows, 3_600)
    if rest:
        return span_of(window, windows)
    return "hour" if hours == 1 else counted(hours, "hour")
