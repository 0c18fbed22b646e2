"""``silence``: a subject that was always there makes no attempts any more.

Signal: a subject that had attempts in nearly every window since it is known, and in each of the
last ten before it stopped, has none for so many windows that chance cannot explain it: at its
usual number, or the lower one of its last ten windows, at least twenty attempts are missing, in
three windows or more. Only windows count that were seen whole: no events lost, no node silent. Pods
that a CronJob started (their names tell) end of themselves, and are never missed.

It is told once: after ten windows the subject counts as gone, and comes back without a word. One
that stops and starts again and again is no longer one that is always there. Silent nodes are the
work of ``source-degraded``.

Known false positives: a workload that was removed, renamed, or scaled to zero, once, for flows do
not tell that this was meant; a long job that no CronJob started and that ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from hubblewatch.attempt.workload import is_scheduled
from hubblewatch.baseline.estimate import BaselineState
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import RECENT_WINDOWS, StreamMemory, SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Evidence, Finding, Reason, Severity, began
from hubblewatch.detectors.wording import from_whom, name_of, span_of
from hubblewatch.window.closed import INBOUND, Subject
from hubblewatch.window.closing import Closing

_SEEN_WELL = 0.99
_SCHEDULED = "scheduled"
"""Key in the detector's slot of a subject that a CronJob starts."""


class SilenceSettings(Block):
    """Who is always there, and how much must be missing."""

    enabled: bool = True
    windows: int = Field(
        3, ge=2, le=RECENT_WINDOWS, description="Windows without an attempt, at least."
    )
    missing_attempts: float = Field(
        20.0,
        gt=0,
        description="Attempts missing by the lower of usual and recent number, at least: if they "
        "came at random the chance of none would be e to the power of minus that.",
    )
    presence: float = Field(
        0.95, gt=0, le=1, description="Share of the windows since it is known that had attempts."
    )


class Silence:
    """Finds subjects that stopped."""

    name = "silence"

    def __init__(self, settings: SilenceSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give one finding for each subject that stopped some windows ago."""
        self._note_scheduled(closing, memory)
        seen_since = _seen_since(memory.stream, closing.number)
        latest = closing.number - self._settings.windows
        earliest = max(closing.number - RECENT_WINDOWS, seen_since - 1)
        for subject, past in memory.subjects.items():
            if earliest <= past.last <= latest:
                missing = self._missing(past, closing.number)
                if missing >= self._settings.missing_attempts:
                    yield self._finding(subject, past, closing, missing)

    def _note_scheduled(self, closing: Closing, memory: Memory) -> None:
        """Pods are known only while they run, so whose they are is noted then."""
        for window in closing.windows:
            if any(map(is_scheduled, window.pods)):
                memory.subject(window.subject).slots.setdefault(self.name, {_SCHEDULED: [1.0]})

    def _missing(self, past: SubjectMemory, number: int) -> float:
        """Give how many attempts are missing; 0 for a subject that is not always there."""
        recent = past.recent
        if (
            past.state is not BaselineState.ACTIVE
            or past.windows < self._settings.presence * past.looked_at
            or self.name in past.slots
            or len(recent) < RECENT_WINDOWS
            or recent[-1].number - recent[0].number >= RECENT_WINDOWS
        ):
            return 0.0
        # The last window is left out: it is cut short by the stop itself.
        before = [window.attempts for window in recent[:-1]]
        rate = min(past.estimate("attempts").usual, sum(before) / len(before))
        return rate * (number - past.last)

    def _finding(
        self, subject: Subject, past: SubjectMemory, closing: Closing, missing: float
    ) -> Finding:
        estimate = past.estimate("attempts")
        low, high = estimate.quantile_range()
        span = span_of(closing, closing.number - past.last)
        whose = (
            f"Connections {from_whom(subject)}"
            if subject.direction == INBOUND
            else f"Attempts of {name_of(subject)}"
        )
        return Finding(
            detector=self.name,
            severity=Severity.WARNING,
            subject=subject,
            observed=0.0,
            expected=round(missing, 1),
            unit="attempts",
            summary=(f"{whose} stopped {span} ago; usual are {estimate.usual:,.0f} a window"),
            description=(
                f"About {missing:,.0f} attempts are missing, and Hubble saw everything meanwhile. "
                "The pods hang, crash or wait for something, were removed or scaled to zero, or "
                "what calls them has gone."
            ),
            recommendation=(
                "See whether its pods run and are ready, what their logs say last, and whether "
                "somebody removed or scaled the workload. If so, nothing is to be done: it is not "
                "told again."
            ),
            reasons=[Reason("attempts", 0.0, low, high)],
            score=missing / self._settings.missing_attempts,
            evidence=Evidence(edges=_last_edges(subject, past)),
            baseline=str(past.state),
            # From the last window that shows what it did.
            since=began(closing, closing.number - past.last + 1),
        )


def _seen_since(stream: StreamMemory, number: int) -> int:
    """Give the first of the unbroken run of windows, this one included, that were seen whole.

    One after this one if this was not.
    """
    since = number + 1
    for window in reversed(stream.recent):
        is_whole = window.kept >= _SEEN_WELL and not window.silent_nodes
        if window.number != since - 1 or not is_whole:
            break
        since = window.number
    return since if not stream.unavailable else number + 1


def _last_edges(subject: Subject, past: SubjectMemory) -> list[str]:
    """Give the edges of the last window with attempts."""
    source = f"{subject.namespace}/{subject.workload}"
    last = sorted(edge for edge, span in past.edges.items() if span.last == past.last)[:5]
    if subject.direction == INBOUND:
        return [f"{edge.rpartition(':')[0]} -> {source}" for edge in last]
    return [f"{source} -> {edge}" for edge in last]
