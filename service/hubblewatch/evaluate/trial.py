"""One labelled recording through all systems, and how each did."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from hubblewatch.alert.record import AlertRecord, AlertStatus
from hubblewatch.assemble import pipeline_settings
from hubblewatch.detectors.finding import Severity
from hubblewatch.evaluate.raw_forest import RawForest
from hubblewatch.evaluate.systems import RAW_FOREST, System
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.pipeline import Closed, Pipeline
from hubblewatch.settings import Settings
from hubblewatch.simulate import Label
from hubblewatch.window.closed import Subject

AFTER_WINDOWS = 5
"""An alert so many windows after the attack's end still tells of it."""

_NS = 1_000_000_000


class Case(Struct, frozen=True):
    """What a recording is labelled with: a name, and how strong; ``seed`` tells its kin apart."""

    name: str
    kind: str
    intensity: float
    seed: int


class Attack(Struct, frozen=True):
    """One attack of a recording.

    ``windows_to_detect`` counts from the window in which it began, which is 1; 0 is never.
    """

    name: str
    intensity: float
    windows_to_detect: int


class Verdict(Struct, frozen=True):
    """How one system did in one recording.

    ``right`` and ``wrong`` are incidents that reached warning or critical, each counted once.
    ``hours`` and ``subject_hours`` are what it was judged on.
    """

    case: Case
    system: str
    attacks: list[Attack]
    right: int
    wrong: int
    wrong_by: dict[str, int]
    under_alert: float
    """Share of all subject windows that lay under an open alert."""
    hours: float
    subject_hours: float


_NOBODY = System("", list, {})
"""Finds nothing: where the forest on raw flows is judged alone, windows must be counted, too."""


class Opened(Struct, frozen=True):
    """An alert that began to page: window number, whose, by which detector."""

    number: int
    subject: Subject
    detector: str


class Trial:
    """Takes a recording's lines in batches; gives the verdicts once the labels are known.

    ``with_raw`` adds the forest on raw flows to the systems. ``on_reject`` is told once of each
    line that the pipelines refuse.
    """

    def __init__(
        self,
        settings: Settings,
        systems: Iterable[System],
        *,
        with_raw: bool = True,
        on_reject: Callable[[Reject], None] = lambda _: None,
    ) -> None:
        self._size = settings.window.size_seconds
        self._systems = list(systems) or [_NOBODY]
        self._pipelines = [
            Pipeline(
                pipeline_settings(settings),
                system.detectors(),
                dict(system.parents),
                (lambda _: None) if place else on_reject,
            )
            for place, system in enumerate(self._systems)
        ]
        self._opened: dict[str, list[Opened]] = {system.name: [] for system in self._systems}
        self._paging: dict[str, set[str]] = {name: set() for name in self._opened}
        self._under_alert = dict.fromkeys(self._opened, 0)
        self._raw = RawForest(self._size) if with_raw else None
        self._subjects: dict[int, int] = {}
        """How many subjects each window has, by its number."""

    @property
    def flows(self) -> int:
        """Flows that were counted."""
        return self._pipelines[0].counts.flows

    def take(self, lines: list[Line]) -> None:
        """Show a batch to all systems."""
        if self._raw is not None:
            self._raw.take(lines)
        for place, pipeline in enumerate(self._pipelines):
            self._note(place, pipeline.take(lines))

    def finish(self) -> None:
        """The recording has ended."""
        for place, pipeline in enumerate(self._pipelines):
            self._note(place, pipeline.finish())

    def verdicts(self, case: Case, labels: list[Label]) -> list[Verdict]:
        """Compare with the labels; raw flows are fitted on what came before the first one."""
        opened = dict(self._opened)
        names = [system.name for system in self._systems if system is not _NOBODY]
        begins: dict[str, int] = {}
        if self._raw is not None:
            begin = min(
                (label.start_ns // _NS // self._size for label in labels),
                default=min(self._subjects, default=0) + len(self._subjects) * 2 // 5,
            )
            found, flagged = self._raw.alerts(begin, case.seed)
            begins[RAW_FOREST] = begin
            opened[RAW_FOREST] = [Opened(number, subject, RAW_FOREST) for number, subject in found]
            self._under_alert[RAW_FOREST] = flagged
            names.append(RAW_FOREST)
        return [
            self._verdict(case, name, opened[name], labels, begins.get(name, 0)) for name in names
        ]

    def _note(self, place: int, closings: Iterable[Closed]) -> None:
        name = self._systems[place].name
        opened = self._opened[name]
        incidents = self._pipelines[place].incidents
        for closed in closings:
            closing, alerts = closed.closing, closed.alerts
            if place == 0:
                self._subjects[closing.number] = len(closing.windows)
            self._under_alert[name] += len(
                {i.finding.subject for i in incidents.open.values() if _pages(i.severity)}
            )
            opened.extend(
                Opened(
                    parse_ns(alert.window_start) // _NS // self._size,
                    Subject(alert.namespace, alert.workload, alert.direction),
                    alert.detector,
                )
                for alert in alerts
                if _begins_to_page(alert, self._paging[name])
            )

    def _verdict(
        self, case: Case, system: str, opened: list[Opened], labels: list[Label], begin: int
    ) -> Verdict:
        attacks = [label for label in labels if label.kind == "attack"]
        disturbances = [label for label in labels if label.kind != "attack"]
        delays: list[list[int]] = [[] for _ in attacks]
        wrong: dict[str, int] = {}
        for alert in opened:
            mine = [place for place, label in enumerate(attacks) if self._is_of(alert, label)]
            if mine:
                place = max(mine, key=lambda place: _fit(alert, attacks[place]))
                delays[place].append(alert.number - self._number(attacks[place].start_ns) + 1)
            elif not any(self._is_excused(alert, label) for label in disturbances):
                wrong[alert.detector] = wrong.get(alert.detector, 0) + 1
        hour = 3_600 / self._size
        judged = [subjects for number, subjects in self._subjects.items() if number >= begin]
        return Verdict(
            case=case,
            system=system,
            attacks=[
                Attack(label.name, label.intensity, min(found, default=0))
                for label, found in zip(attacks, delays, strict=True)
            ],
            right=sum(map(len, delays)),
            wrong=sum(wrong.values()),
            wrong_by=wrong,
            under_alert=self._under_alert[system] / max(sum(judged), 1),
            hours=len(judged) / hour,
            subject_hours=sum(judged) / hour,
        )

    def _number(self, time_ns: int) -> int:
        return time_ns // _NS // self._size

    def _is_in(self, alert: Opened, label: Label) -> bool:
        end = self._number(label.end_ns) + AFTER_WINDOWS
        return self._number(label.start_ns) <= alert.number <= end

    def _is_excused(self, alert: Opened, label: Label) -> bool:
        """Tell whether a disturbance may raise an alert, of whomever, while it lasts."""
        return alert.detector in label.detectors and self._is_in(alert, label)

    def _is_of(self, alert: Opened, label: Label) -> bool:
        if not self._is_in(alert, label):
            return False
        subject = alert.subject
        if not subject.workload:
            return any(subject.namespace == namespace for namespace, _, _ in label.subjects)
        return tuple(subject) in {tuple(known) for known in label.subjects}


def _fit(alert: Opened, label: Label) -> tuple[bool, int]:
    """Of several attacks on one subject an alert is of that which it should find, or the latest."""
    return alert.detector in label.detectors, label.start_ns


def _begins_to_page(alert: AlertRecord, paging: set[str]) -> bool:
    """Tell whether an incident pages from this record on; ``paging`` are those that already do."""
    if alert.status is AlertStatus.RESOLVED:
        paging.discard(alert.incident)
        return False
    if alert.shadow or not _pages(alert.severity) or alert.incident in paging:
        return False
    paging.add(alert.incident)
    return True


def _pages(severity: Severity) -> bool:
    return severity.rank >= Severity.WARNING.rank
