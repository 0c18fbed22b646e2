"""Findings to incidents: one for each thing that goes on, however many windows show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from hubblewatch.alert.record import (
    AlertRecord,
    AlertStatus,
    Transition,
    alert_id,
    incident_id,
)
from hubblewatch.alert.reproduce import observe_command
from hubblewatch.detectors.finding import RESOLVE_AFTER_WINDOWS, Finding, Severity
from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.incident.suppressions import Suppressions
from hubblewatch.window.closed import INBOUND, Subject
from hubblewatch.window.closing import Closing

UNSEEN_SECONDS = 86_400
"""An incident of which nothing was seen for a day of event time ends, however little of the stream
was seen: else those of a stream that stays incomplete would never end, and never stop to grow."""

MAX_OPEN = 5_000
"""Open incidents of one stream; beyond, the mildest are refused. Subjects and detectors alone are
no bound: 50,000 subjects are remembered, and some detectors have an incident a destination."""

RUNBOOK = "https://github.com/hubblewatch/hubblewatch/blob/main/docs/runbooks/{detector}.md"


class Incident(Struct):
    """An open incident; all that is needed to go on with it after a restart."""

    id: str
    finding: Finding
    severity: Severity
    first_start: int
    last_end: int
    quiet: int = 0
    completeness: float = 1.0
    worsened: int = 0


class _Unproved(Struct, frozen=True):
    """An end that quiet windows do not show: what the last record says more of it."""

    summary: str
    description: str


_UNSEEN = _Unproved(
    "not seen for a day",
    "It ends because nothing of it was seen for a day. Too little of the stream was seen in that "
    "time, which does not show that it is over: if it shows again, it is told again.",
)


_NO_ROOM = _Unproved(
    "ended to make room",
    "It ends because as many incidents are open as can be, and the others are more urgent or were "
    "seen since. That does not show that it is over.",
)


class Incidents:
    """The open incidents of one stream, by id."""

    def __init__(self, cluster: str, parents: Mapping[str, frozenset[str]]) -> None:
        self.open: dict[str, Incident] = {}
        self.changed: set[str] = set()
        self._are_named = False
        self.suppressed: defaultdict[str, int] = defaultdict(int)
        """Findings suppressed so far, by entry."""
        self.refused = 0
        """Incidents not opened, or ended, because as many were open as can be."""
        self._cluster = cluster
        self._parents = parents

    def drain_changed(self) -> set[str]:
        """Give the ids of the incidents that changed since the last call."""
        changed, self.changed = self.changed, set()
        return changed

    def update(
        self, closing: Closing, findings: Iterable[Finding], suppressions: Suppressions
    ) -> list[AlertRecord]:
        """Open, extend, worsen and resolve incidents by a closing's findings; give the records."""
        records: list[AlertRecord] = self._end_renamed(closing)
        seen: set[str] = set()
        held_back: set[str] = set()
        kept = list(findings)
        firing = _firing(kept, self.open.values())
        for finding in sorted(kept, key=_order):
            if self._has_parent(finding, firing):
                continue
            entry = suppressions.match(finding, closing.end)
            if entry is not None:
                self.suppressed[entry] += 1
                held_back.add(self._id(finding))
                continue
            record = self._extend(closing, finding, seen)
            if record is not None:
                records.append(record)
        # By age, since a restart restores them in another order than they came.
        quiet = [incident for incident in self.open.values() if incident.id not in seen]
        for incident in sorted(quiet, key=lambda incident: (incident.first_start, incident.id)):
            entry = suppressions.match(incident.finding, closing.end)
            is_unseen = closing.end - incident.last_end >= UNSEEN_SECONDS
            if entry is not None:
                self.suppressed[entry] += incident.id not in held_back
            elif closing.is_complete and not (
                incident.finding.needs_all_nodes and closing.completeness.silent_nodes
            ):
                incident.quiet += 1
            elif not is_unseen:
                continue  # silence of a stream that lost events proves nothing
            self.changed.add(incident.id)
            if entry is not None or incident.quiet >= RESOLVE_AFTER_WINDOWS:
                records.append(self._end(incident, closing))
            elif is_unseen:
                records.append(self._end(incident, closing, _UNSEEN))
        return self._make_room(closing, records)

    def _make_room(self, closing: Closing, records: list[AlertRecord]) -> list[AlertRecord]:
        """Keep the most urgent of too many incidents; one that opens now was never there."""
        excess = len(self.open) - MAX_OPEN
        if excess <= 0:
            return records
        self.refused += excess
        opened = {one.incident for one in records if one.transition is Transition.OPEN}
        refused = set()
        for incident in sorted(self.open.values(), key=_urgency)[:excess]:
            if incident.id in opened:
                del self.open[incident.id]
                refused.add(incident.id)
            else:
                records.append(self._end(incident, closing, _NO_ROOM))
        return [
            one
            for one in records
            if one.transition is not Transition.OPEN or one.incident not in refused
        ]

    def _end_renamed(self, closing: Closing) -> list[AlertRecord]:
        """End incidents that an older version has named otherwise: findings would not meet them."""
        if self._are_named:
            return []
        self._are_named = True
        renamed = [each for each in self.open.values() if each.id != self._id(each.finding)]
        return [self._end(incident, closing) for incident in renamed]

    def _end(
        self, incident: Incident, closing: Closing, unproved: _Unproved | None = None
    ) -> AlertRecord:
        del self.open[incident.id]
        self.changed.add(incident.id)
        record = self._record(closing.start, closing.end, incident, Transition.RESOLVE)
        if unproved is None:
            return record
        return replace(
            record,
            summary=f"{record.summary} ({unproved.summary})",
            description=f"{record.description} {unproved.description}",
        )

    def alerted_subjects(self) -> set[Subject]:
        """Give the subjects of the open incidents that page: no notes, nothing on trial."""
        return {
            incident.finding.subject
            for incident in self.open.values()
            if incident.severity is not Severity.INFO and not incident.finding.shadow
        }

    def standing(self) -> list[AlertRecord]:
        """Give each open incident as its last record, as far as it is remembered.

        For those who show what is open after a restart; the window is the incident's whole time.
        """
        return [
            self._record(
                incident.first_start,
                incident.last_end,
                incident,
                Transition.WORSE if incident.worsened else Transition.OPEN,
            )
            for incident in self.open.values()
        ]

    def _extend(self, closing: Closing, finding: Finding, seen: set[str]) -> AlertRecord | None:
        name = self._id(finding)
        if name in seen:
            return None
        seen.add(name)
        self.changed.add(name)
        share = closing.completeness.share
        incident = self.open.get(name)
        if incident is None:
            incident = Incident(
                name, finding, finding.severity, closing.start, closing.end, completeness=share
            )
            self.open[name] = incident
            return self._record(closing.start, closing.end, incident, Transition.OPEN)
        if finding.shadow is not incident.finding.shadow:
            # What was on trial pages nobody, and what pages is not on trial: the next window's
            # finding is another incident.
            return self._end(incident, closing)
        incident.quiet = 0
        incident.last_end = closing.end
        incident.completeness = min(incident.completeness, share)
        if finding.severity.rank > incident.severity.rank:
            incident.severity = finding.severity
            incident.finding = finding
            incident.worsened += 1
            return self._record(closing.start, closing.end, incident, Transition.WORSE)
        return None

    def _id(self, finding: Finding) -> str:
        subject = finding.subject
        # What is done to a workload and what it does are two things, and may come together.
        key = f"{INBOUND}|{finding.key}" if subject.direction == INBOUND else finding.key
        return incident_id(
            finding.detector, self._cluster, subject.namespace, subject.workload, key
        )

    def _has_parent(self, finding: Finding, firing: Mapping[tuple[Subject, str], Severity]) -> bool:
        """Tell whether a parent fires; one that never pages does not hide a child that does."""
        parents = self._parents.get(finding.detector, frozenset())
        return any(
            severity is not Severity.INFO or finding.severity is Severity.INFO
            for parent in parents
            if (severity := firing.get((finding.subject, parent))) is not None
        )

    def _record(
        self, begin: int, end: int, incident: Incident, transition: Transition
    ) -> AlertRecord:
        finding = incident.finding
        subject = finding.subject
        first = format_seconds(incident.first_start)
        step = transition if transition is not Transition.WORSE else f"worse-{incident.worsened}"
        resolved = transition is Transition.RESOLVE
        start = incident.first_start if resolved else begin
        return AlertRecord(
            id=alert_id(incident.id, first, step),
            incident=incident.id,
            status=AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
            detector=finding.detector,
            severity=incident.severity,
            cluster=self._cluster,
            namespace=subject.namespace,
            workload=subject.workload,
            pods=finding.pods,
            direction=subject.direction,
            peers=finding.peers,
            window_start=format_seconds(begin),
            window_end=format_seconds(end),
            first_seen=first,
            last_seen=format_seconds(incident.last_end),
            observed=round(finding.observed, 3),
            expected=round(finding.expected, 3),
            unit=finding.unit,
            ratio=round(finding.ratio, 3),
            score=round(finding.score, 3),
            reasons=finding.reasons,
            summary=finding.summary,
            description=finding.description,
            recommendation=finding.recommendation,
            runbook=RUNBOOK.format(detector=finding.detector),
            evidence=finding.evidence,
            reproduce=observe_command(finding, start, incident.last_end),
            completeness=round(incident.completeness, 4),
            baseline=finding.baseline,
            model=finding.model,
            shadow=finding.shadow,
            transition=transition,
        )


def _firing(
    findings: Iterable[Finding], incidents: Iterable[Incident]
) -> dict[tuple[Subject, str], Severity]:
    """Give what fires now or is still open, by subject and detector, at its worst."""
    firing: dict[tuple[Subject, str], Severity] = {}
    told = [(finding, finding.severity) for finding in findings]
    told += [(incident.finding, incident.severity) for incident in incidents]
    for finding, severity in told:
        key = finding.subject, finding.detector
        if key not in firing or severity.rank > firing[key].rank:
            firing[key] = severity
    return firing


def _order(finding: Finding) -> tuple[str, Subject, str, int]:
    return finding.detector, finding.subject, finding.key, -finding.severity.rank


def _urgency(incident: Incident) -> tuple[bool, int, int, int, str]:
    """Sort by urgency, mildest first; of equal ones the last seen, then the oldest are kept."""
    return (
        not incident.finding.shadow,
        incident.severity.rank,
        incident.last_end,
        -incident.first_start,
        incident.id,
    )
