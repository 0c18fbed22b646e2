"""The memory of one stream: it meets a closing before the detectors look, and learns it after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hubblewatch.baseline.estimate import ACTIVE_FROM, Estimate
from hubblewatch.baseline.features import explained_lookups, features, unexplained_udp
from hubblewatch.baseline.past import (
    MAX_EDGES,
    MAX_NAMESPACES,
    MAX_TRIALS,
    RECENT_WINDOWS,
    STRANGER_WINDOWS,
    TRIAL_WINDOWS,
    NamespaceMemory,
    NamespaceRecent,
    Recent,
    StreamMemory,
    StreamRecent,
    SubjectMemory,
    Trial,
    remember,
    trial_key,
)
from hubblewatch.baseline.subjects import Subjects
from hubblewatch.baseline.week import Week, every_windows, first_hour, hour_of, looks_of
from hubblewatch.window.closed import INBOUND, ClosedWindow, EdgeKey, Subject
from hubblewatch.window.closing import Closing

SUBJECT_EXPIRES_AFTER_SECONDS = 7 * 86_400
"""However long windows are: what runs once a week has a past when it comes again."""
MAX_SUBJECTS = 50_000
"""Subjects remembered; beyond, those not seen for the longest make room."""

SUSPICIOUS_WEIGHT = 0.1
"""How fast a baseline learns from a window that raised a finding: an attack of many times the usual
must not become usual within hours, a lasting change of the service should within two days."""


class Memory:
    """All memory of one stream (one partition of the flows, or one recording).

    ``changed`` names the subjects and namespaces touched since it was last drained. ``weeks`` are
    kept apart from the rest of a subject's memory because they change once an hour only.
    """

    def __init__(self) -> None:
        self.subjects = Subjects()
        self.namespaces: dict[str, NamespaceMemory] = {}
        self.weeks: dict[Subject, Week] = {}
        self.stream = StreamMemory()
        self.changed_weeks: set[Subject] = set()
        self.changed: set[Subject | str] = set()

    def subject(self, subject: Subject) -> SubjectMemory:
        """Give a subject's memory, beginning one if it is new."""
        memory = self.subjects.get(subject)
        if memory is None:
            memory = self.subjects[subject] = SubjectMemory()
        return memory

    def namespace(self, name: str) -> NamespaceMemory:
        """Give a namespace's memory, beginning one if it is new."""
        memory = self.namespaces.get(name)
        if memory is None:
            memory = self.namespaces[name] = NamespaceMemory()
        return memory

    def drain_changed(self) -> set[Subject | str]:
        """Give the subjects and namespaces that changed since the last call."""
        changed, self.changed = self.changed, set()
        return changed

    def drain_changed_weeks(self) -> set[Subject]:
        """Give the subjects whose week changed since the last call."""
        changed, self.changed_weeks = self.changed_weeks, set()
        return changed

    def expected(self, subject: Subject, feature: str, second: int) -> Estimate:
        """Give the estimate of a feature with what is usual at that time of the week, if higher.

        ``feature`` is one of ``WEEK_FEATURES``, ``second`` the begin of a window.
        """
        past = self.subject(subject)
        estimate = past.estimate(feature)
        week = self.weeks.get(subject)
        if week is None or past.hour is None:
            return estimate
        level = week.level(feature, hour_of(second, past.hour.offset))
        return estimate if level is None else estimate.raised_to(level)

    def meet(self, closing: Closing) -> None:
        """Before the detectors look: note what this closing shows."""
        if self.stream.first < 0:
            self.stream.first = closing.number
        seen_whole = closing.is_complete and not closing.completeness.silent_nodes
        for window in closing.windows:
            memory = self.subject(window.subject)
            if memory.first < 0:
                memory.first = closing.number
                memory.served = self._served(window.subject, closing.number)
            known = memory.edges
            window.new_edges = sum(1 for edge in window.edges if str(edge) not in known)
            _try(memory, window, closing.number)
            memory.recent.append(
                Recent(
                    closing.number,
                    window.attempts,
                    window.attempts - explained_lookups(window),
                    window.denied,
                    window.failed + window.dropped,
                    unexplained_udp(window),
                    seen_whole,
                )
            )
            del memory.recent[:-RECENT_WINDOWS]
        self._meet_namespaces(closing)
        seen = closing.completeness
        self.stream.recent.append(
            StreamRecent(
                closing.number,
                (1 - seen.lost_share) * (1 - seen.gap_share),
                seen.lost,
                seen.gap_share,
                len(seen.silent_nodes),
                seen.silent_share,
                _node_loss(closing),
            )
        )
        del self.stream.recent[:-RECENT_WINDOWS]

    def _served(self, subject: Subject, number: int) -> int:
        """Give for how many windows a workload that now opens its first connection did but serve.

        Only what its own namespace and the outside show: that is in one partition with it.
        """
        looked = min(number - self.stream.first, self.stream.complete)
        if subject.direction == INBOUND or looked < ACTIVE_FROM:
            return 0
        since = self.subjects.serves_since(subject)
        served = 0 if since is None else min(number - since, looked)
        return served if served >= ACTIVE_FROM else 0

    def _meet_namespaces(self, closing: Closing) -> None:
        counts: dict[str, NamespaceRecent] = {}
        for window in closing.windows:
            name = window.subject.namespace
            count = counts.get(name)
            if count is None:
                count = counts[name] = NamespaceRecent(closing.number, 0, 0, 0, 0)
            count.attempts += window.attempts
            count.connections += window.attempts - explained_lookups(window)
            count.udp += window.udp
            count.unexplained += unexplained_udp(window)
        for name, count in counts.items():
            namespace = self.namespace(name)
            if namespace.first < 0:
                namespace.first = closing.number
            namespace.last = closing.number
            namespace.recent.append(count)
            del namespace.recent[:-RECENT_WINDOWS]
            self.changed.add(name)

    def learn(self, closing: Closing, suspicious: Iterable[Subject]) -> None:
        """After the detectors looked: take the closing into what is usual.

        An incomplete closing teaches no estimate: half of the traffic is not a new normal.
        """
        number = closing.number
        suspects = frozenset(suspicious)
        before = self.stream.complete
        self.stream.complete += closing.is_complete
        for window in closing.windows:
            memory = self.subject(window.subject)
            if memory.complete_before is None:
                # What an older version remembers has every window since its first one counted.
                known = memory.last - memory.first + 1 if memory.windows else 0
                memory.complete_before = before - known
            memory.complete_through = self.stream.complete
            memory.last = number
            self.changed.add(window.subject)
            if closing.is_complete:
                memory.windows += 1
                weight = SUSPICIOUS_WEIGHT if window.subject in suspects else 1.0
                counts = features(window)
                for feature, value in counts.items():
                    memory.estimates.setdefault(feature, Estimate()).learn(value, weight)
                if memory.windows % every_windows(closing.end - closing.start) == 0:
                    self._learn_hour(window.subject, memory, counts, closing, weight < 1)
            namespaces = sorted((name, True) for name in window.peer_namespaces)
            remember(memory.namespaces, namespaces, number, MAX_NAMESPACES)
            edges = sorted((str(edge), counts.succeeded) for edge, counts in window.edges.items())
            came, went = remember(memory.edges, edges, number, MAX_EDGES)
            if came or went:
                self.subjects.note_edges(window.subject, came, went)
        if closing.is_complete:
            self._learn_namespaces(number, {s.namespace for s in suspects if not s.workload})
        if closing.has_all_events:
            self.stream.nodes.learn(closing.events)
        self.stream.closings += 1
        if self.stream.closings % 60 == 0:
            self._expire(number, closing.end - closing.start)

    def _learn_hour(
        self,
        subject: Subject,
        memory: SubjectMemory,
        counts: Mapping[str, float],
        closing: Closing,
        is_suspicious: bool,
    ) -> None:
        """Take a window into the hour under way, and one that ended into the subject's week."""
        hour = memory.hour
        if hour is None:
            hour = memory.hour = first_hour(subject, closing.start)
        number = hour_of(closing.start, hour.offset)
        if number != hour.number:
            week = self.weeks.get(subject)
            if week is None:
                week = self.weeks[subject] = Week()
            if week.learn(hour, looks_of(closing.end - closing.start)):
                self.changed_weeks.add(subject)
            hour.begin(number)
        hour.add(counts, is_suspicious=is_suspicious)

    def _learn_namespaces(self, number: int, suspects: set[str]) -> None:
        for name, memory in self.namespaces.items():
            if not memory.recent or memory.recent[-1].number != number:
                continue
            count = memory.recent[-1]
            memory.windows += 1
            weight = SUSPICIOUS_WEIGHT if name in suspects else 1.0
            memory.udp.learn(count.unexplained, weight)
            if count.connections:
                memory.udp_share.learn(100 * count.unexplained / count.connections, weight)

    def _expire(self, number: int, seconds: int) -> None:
        oldest = number - SUBJECT_EXPIRES_AFTER_SECONDS // max(1, seconds)
        gone = [s for s, memory in self.subjects.items() if memory.last < oldest]
        excess = len(self.subjects) - len(gone) - MAX_SUBJECTS
        if excess > 0:
            gone = sorted(self.subjects, key=lambda s: (self.subjects[s].last, s))
            gone = gone[: len(self.subjects) - MAX_SUBJECTS]
        for subject in gone:
            del self.subjects[subject]
            self.changed.add(subject)
            if self.weeks.pop(subject, None) is not None:
                self.changed_weeks.add(subject)
        for name in [n for n, memory in self.namespaces.items() if memory.last < oldest]:
            del self.namespaces[name]
            self.changed.add(name)


def _try(memory: SubjectMemory, window: ClosedWindow, number: int) -> None:
    """Forget old unsuccessful contacts and note this window's."""
    oldest = number - TRIAL_WINDOWS
    if memory.tried:
        memory.tried = {key: trial for key, trial in memory.tried.items() if trial.last > oldest}
    for contact in sorted(window.refused):
        key = trial_key(contact)
        trial = memory.tried.get(key)
        is_strange = _is_strange(memory, window, window.refused[contact], number)
        if trial is not None:
            trial.last = number
            trial.stranger = trial.stranger and is_strange
        elif len(memory.tried) < MAX_TRIALS:
            memory.tried[key] = Trial(number, is_strange)


def _is_strange(memory: SubjectMemory, window: ClosedWindow, edge: EdgeKey, number: int) -> bool:
    span = memory.edges.get(str(edge))
    if span is not None:
        return not span.answered and span.first > number - STRANGER_WINDOWS
    counts = window.edges.get(edge)
    return counts is None or not counts.succeeded


def _node_loss(closing: Closing) -> dict[str, float]:
    lost: dict[str, int] = {}
    for (node, _), count in closing.lost.items():
        if node in closing.events:
            lost[node] = lost.get(node, 0) + count
    return {node: count / (count + closing.events[node]) for node, count in lost.items() if count}
