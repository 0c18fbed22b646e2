"""``beaconing``: a subject contacts a new external destination again and again at even intervals.

Signal: at least ten intervals in a row between contacts with one destination (name or address, and
port) that scatter little around their median: what a clock does, and people and load do not. An
implant asks for orders like that, usually with some jitter on purpose; twenty per cent each way
are still even. Of contacts at random one to four runs of ten intervals in 100,000 pass (simulated),
whatever their mean interval.

Only what is rare and new counts: at most twelve attempts a window, first contacted after the
subject had been watched for ten windows and for three of the intervals, and not more than a day
ago. What other subjects of the namespace contacted before is info.

Known false positives: a new version that reports to a vendor, checks a licence, or polls an API
each minute; a client that retries a dead destination for more than ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import median

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.destinations import is_outside
from hubblewatch.detectors.finding import Finding, Reason, Severity, shown_evidence
from hubblewatch.detectors.novelty import DAY, given_through
from hubblewatch.detectors.wording import counted, name_of
from hubblewatch.window.closed import INBOUND, MAX_BEGINS, ClosedWindow, EdgeKey
from hubblewatch.window.closing import Closing

_MAX_CANDIDATES = 8
_MAX_TIMES = 16
_SAME_CONTACT_SECONDS = 2
"""Connections so close together are one contact: IPv4 beside IPv6, a redirect."""

_MAD_TO_SIGMA = 1.4826
_WITHIN = 0.3
_ASTRAY_SHARE = 0.1
"""One interval of ten may be further than that from the median: a contact that was missed."""


class BeaconingSettings(Block):
    """How even is even, and for how long."""

    enabled: bool = True
    intervals: int = Field(
        10, ge=6, lt=_MAX_TIMES, description="Intervals in a row that must be even."
    )
    scatter: float = Field(
        0.2,
        gt=0,
        le=0.4,
        description="Robust standard deviation of the intervals over their median less two seconds "
        "(what is nearer counts as one contact), at most; 20 % of jitter each way make 0.15, "
        "contacts at random about 1.",
    )
    windows: int = Field(10, ge=2, description="Windows that it must last, whatever the interval.")
    periods_before: float = Field(
        3.0, ge=1, description="Intervals for which the subject was watched before the first one."
    )


class _Beacon(Struct):
    edge: EdgeKey
    intervals: int
    """As many were judged, the last ones."""
    period: float
    scatter: float
    since: int
    """When the first of them began, epoch seconds."""


class Beaconing:
    """Finds contacts at even intervals."""

    name = "beaconing"

    def __init__(self, settings: BeaconingSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject and destination contacted at even intervals."""
        for window in closing.windows:
            if not window.external or window.subject.direction == INBOUND:
                continue
            past = memory.subject(window.subject)
            given = given_through(past)
            if given is None:
                continue
            for beacon in self._follow(window, past, given, closing.number):
                first = past.edges[str(beacon.edge)].first
                is_shared = memory.subjects.is_known_to_neighbour(
                    window.subject, str(beacon.edge), first
                )
                severity = Severity.INFO if is_shared else Severity.WARNING
                yield self._finding(window, past, beacon, severity)

    def _follow(
        self, window: ClosedWindow, past: SubjectMemory, given: int, number: int
    ) -> Iterable[_Beacon]:
        """Note when rare new destinations were contacted; give those contacted evenly."""
        slot = past.slots.get(self.name, {})
        found = []
        for edge, counts in window.edges.items():
            if counts.begins is None or not is_outside(edge):
                continue
            text = str(edge)
            span = past.edges.get(text)
            if span is not None and span.first <= max(given, number - DAY):
                slot.pop(text, None)
                continue
            if counts.attempts > MAX_BEGINS:
                slot.pop(text, None)
                continue
            times = _joined(slot.get(text, []), counts.begins)
            slot[text] = list(times)
            if span is not None and number - span.first + 1 >= self._settings.windows:
                beacon = self._judge(edge, times, window, span.first - past.first + past.served)
                if beacon is not None:
                    found.append(beacon)
        kept = sorted(slot, key=lambda text: (-slot[text][-1], text))[:_MAX_CANDIDATES]
        if kept:
            past.slots[self.name] = {text: slot[text] for text in sorted(kept)}
        else:
            past.slots.pop(self.name, None)
        return sorted(found, key=lambda beacon: beacon.edge)

    def _judge(
        self, edge: EdgeKey, times: list[int], window: ClosedWindow, watched: int
    ) -> _Beacon | None:
        settings = self._settings
        if len(times) <= settings.intervals:
            return None
        gaps = [after - before for before, after in pairwise(times)]
        gaps = gaps[-settings.intervals :]
        period = median(gaps)
        # Shorter gaps were joined away, which makes short intervals look alike.
        room = period - _SAME_CONTACT_SECONDS
        scatter = _MAD_TO_SIGMA * median(abs(gap - period) for gap in gaps) / room
        astray = sum(1 for gap in gaps if abs(gap - period) > _WITHIN * room)
        if (
            scatter > settings.scatter
            or astray > _ASTRAY_SHARE * len(gaps)
            or watched * (window.end - window.start) < settings.periods_before * period
        ):
            return None
        return _Beacon(edge, len(gaps), float(period), scatter, times[-len(gaps) - 1])

    def _finding(
        self, window: ClosedWindow, past: SubjectMemory, beacon: _Beacon, severity: Severity
    ) -> Finding:
        subject = window.subject
        edge = beacon.edge
        peers, evidence, unnamed = shown_evidence(window, "attempts", lambda other: other == edge)
        settings = self._settings
        return Finding(
            detector=self.name,
            severity=severity,
            subject=subject,
            observed=round(beacon.period, 1),
            expected=0.0,
            unit="seconds between contacts",
            summary=(
                f"{name_of(subject)} contacts {edge.workload}:{edge.port} every "
                f"{beacon.period:,.0f} seconds, with {beacon.scatter:.0%} of scatter"
            ),
            description=(
                f"The last {counted(beacon.intervals, 'interval')} are as even as a clock's, and "
                "the destination is new for this workload. A program that waits for orders "
                "contacts its master like that; so does a reporter, a licence check or a poller "
                "that a new version brought."
            ),
            recommendation=(
                f"Find out who owns {edge.workload} and which process opens the connections. If "
                "nobody knows it, cut it off with an egress policy and keep the pod for "
                "examination."
            ),
            reasons=[
                Reason(
                    "scatter_of_intervals", round(beacon.scatter, 4), settings.scatter, 1.5, 0.7
                ),
                Reason(
                    "even_intervals", float(beacon.intervals), 0.0, settings.intervals - 1.0, 0.3
                ),
            ],
            score=1 - beacon.scatter,
            key=str(edge),
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=beacon.since,
            protocol=edge.protocol,
            ports=[edge.port],
            baseline=str(past.state),
        )


def _joined(known: list[float], begins: list[int]) -> list[int]:
    """Give the times of contacts, oldest first, the last ones of them."""
    times = [int(time) for time in known]
    for begin in sorted(begins):
        if not times or begin - times[-1] > _SAME_CONTACT_SECONDS:
            times.append(begin)
    return times[-_MAX_TIMES:]
