"""``external-egress``: a workload talks to destinations outside the cluster that are new for it.

Signal: destinations (registered domains, or networks where no name is known) that the subject never
contacted in the time it was watched, and now contacts again and again. If it had always contacted
them at this rate, it would have been a rare chance not to see that earlier: for one that was
contacted in ``n`` of the last ``d`` windows and in none of ``t`` before, ``(d / (t + d)) ** n``. So
a rare partner that shows up for the first time is no alert, and a lasting or manifold one is.
Subjects that change destinations all the time (content networks, services behind many addresses)
are judged by their own rate of new ones.

A first contact alone is info. A subject's first ten windows are taken as given, unless it had only
served others for an hour or more: that is time in which it was watched, too.

Known false positives: a new version with a new partner; the first run of a nightly transfer; a
partner that moved to other addresses, where names are not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.destinations import group_of, is_outside, split_edge
from hubblewatch.detectors.finding import (
    Finding,
    Reason,
    Severity,
    began,
    shown_evidence,
    with_earlier,
)
from hubblewatch.detectors.new_destinations import (
    NewDestination,
    Turnover,
    contacted,
    follow,
    followed,
    surprise,
)
from hubblewatch.detectors.novelty import (
    RESTLESS_RATE,
    given_through,
    note_told,
    settled_through,
    watched_windows,
)
from hubblewatch.detectors.wording import counted, listed, name_of, span_of
from hubblewatch.window.closed import INBOUND, ClosedWindow
from hubblewatch.window.closing import Closing


class ExternalEgressSettings(Block):
    """How sure a change must be."""

    enabled: bool = True
    chance: float = Field(
        1e-4,
        gt=0,
        lt=1,
        description="Probability of not having seen the destinations earlier, at most: one false "
        "alert in ten thousand destinations that are contacted at random.",
    )
    critical_destinations: int = Field(
        10, ge=2, description="New destinations within an hour for critical."
    )


class _Case(Struct):
    severity: Severity
    news: list[NewDestination]
    windows: int
    known: int
    surprise: float


class ExternalEgress:
    """Finds new destinations outside the cluster."""

    name = "external-egress"

    def __init__(self, settings: ExternalEgressSettings) -> None:
        self._settings = settings
        self._surprise = -log(settings.chance)

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject with new destinations."""
        for window in closing.windows:
            if not window.external or window.subject.direction == INBOUND:
                continue
            past = memory.subject(window.subject)
            if given_through(past) is None:
                continue
            found = contacted(window)
            known = follow(self.name, found, past, closing)
            case = None if known is None else self._judge(past, closing.number, known)
            if case is None:
                continue
            edges = [str(edge) for new in case.news for edge in found.get(new.name, ())]
            if edges and all(
                memory.subjects.is_known_to_neighbour(window.subject, edge, first)
                for edge in edges
                # Two that begin together do not vouch for each other.
                for first in [past.edges[edge].first if edge in past.edges else closing.number]
            ):
                case.severity = Severity.INFO
            if case.severity is not Severity.INFO:
                note_told(past, self.name, closing.number)
            yield self._finding(window, past, case)

    def _judge(self, past: SubjectMemory, number: int, known: dict[str, int]) -> _Case | None:
        settings = self._settings
        settled = settled_through(past, self.name, number)
        news = [new for new in followed(self.name, past) if new.first > settled]
        firsts = {**known, **{destination.name: destination.first for destination in news}}
        turnover = Turnover(past, list(firsts.values()))
        for count in range(1, len(news) + 1):
            since = news[count - 1].first
            if count < len(news) and news[count].first == since:
                continue  # they came in one window and are judged together
            chosen = news[:count]
            certainty = surprise(chosen, watched_windows(past) + 1)
            if certainty < self._surprise or turnover.explains(chosen, number):
                continue
            severity = Severity.WARNING
            if count >= settings.critical_destinations:
                severity = Severity.CRITICAL
            return _Case(severity, chosen, number - since + 1, len(firsts) - count, certainty)
        chosen = [destination for destination in news if destination.first == number]
        if not chosen or turnover.rate(number) > RESTLESS_RATE:
            return None
        certainty = surprise(chosen, watched_windows(past) + 1)
        return _Case(Severity.INFO, chosen, 1, len(firsts) - len(chosen), certainty)

    def _finding(self, window: ClosedWindow, past: SubjectMemory, case: _Case) -> Finding:
        subject = window.subject
        names = [new.name for new in case.news]
        peers, evidence, unnamed = shown_evidence(
            window,
            "attempts",
            lambda edge: is_outside(edge) and group_of(edge.workload) in names,
        )
        edges = (edge for edge in map(split_edge, past.edges) if is_outside(edge))
        earlier = [edge for edge in edges if group_of(edge.workload) in names]
        peers, unnamed = with_earlier(peers, unnamed, earlier)
        count = len(names)
        before = (
            f"before it knew {case.known}" if case.known else "before it had none outside at all"
        )
        watched = span_of(window, min(new.watched for new in case.news))
        return Finding(
            detector=self.name,
            severity=case.severity,
            subject=subject,
            observed=float(count),
            expected=0.0,
            unit="new destinations",
            summary=(
                f"{name_of(subject)} talks to {counted(count, 'destination')} outside the cluster "
                f"that {'is' if count == 1 else 'are'} new for it, for "
                f"{span_of(window, case.windows)} now; {before}"
            ),
            description=(
                f"New: {listed(names)}. None of it was seen in {watched} with traffic before the "
                "first contact. It can be a new partner of a new version, or data on its way out, "
                "or a program that fetches its next part."
            ),
            recommendation=(
                "Find out who owns the destinations and whether a deployment brought them. If "
                "nobody knows them, cut them off with an egress policy and look at what the pods "
                "run."
            ),
            reasons=[
                Reason("new_destinations", float(count), 0.0, 0.0, 0.5),
                Reason("surprise", round(case.surprise, 3), 0.0, self._surprise, 0.5),
            ],
            score=case.surprise,
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, case.windows),
            baseline=str(past.state),
        )
