"""Figures from verdicts: recall, time to detect, precision, false alerts; each with its spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct

from hubblewatch.evaluate.trial import Verdict

_DAY_HOURS = 24.0


class Figure(Struct, frozen=True):
    """How a system did on one attack at one intensity, over all seeds.

    ``recall`` is the share of attacks that raised an alert for the right subject. The delays are in
    windows, of those found: 1 is the window in which the attack began. ``recalls`` are by seed.
    """

    attack: str
    intensity: float
    system: str
    attacks: int
    found: int
    delay_median: float
    delay_least: int
    delay_most: int

    @property
    def recall(self) -> float:
        """Found of all."""
        return self.found / self.attacks


class Total(Struct, frozen=True):
    """How a system did on everything: precision, and false alerts of a day; least and most are of
    the seeds."""

    system: str
    recall: float
    right: int
    wrong: int
    precision: float
    false_a_day: float
    false_a_day_least: float
    false_a_day_most: float
    false_a_day_100_subjects: float
    under_alert: float
    """Share of subject windows under an open alert, right or wrong."""
    wrong_by: dict[str, int]


class Row(Struct, frozen=True):
    """How one system did on one scenario at one intensity; ``delays`` in windows, least first.

    ``attacks`` is how many there were: one in each recording, mostly.

    ``false_rates`` are false alerts of a day and 100 subjects, by recording; ``false_rate`` is
    that of all.
    """

    name: str
    intensity: float
    is_attack: bool
    attacks: int
    delays: list[int]
    right: int
    wrong: int
    false_rate: float
    false_rates: list[float]


def rows(verdicts: Sequence[Verdict]) -> list[Row]:
    """Give a row for each scenario and intensity of one system's verdicts, in their order."""
    groups: dict[tuple[str, float], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.case.name, verdict.case.intensity), []).append(verdict)
    return [
        Row(
            name, intensity, group[0].case.kind == "attack", sum(len(v.attacks) for v in group),
            sorted(a.windows_to_detect for v in group for a in v.attacks if a.windows_to_detect),
            sum(v.right for v in group), sum(v.wrong for v in group),
            _of_100_subjects(group), [_of_100_subjects([v]) for v in group],
        )
        for (name, intensity), group in groups.items()
    ]  # fmt: skip


def _of_100_subjects(verdicts: Sequence[Verdict]) -> float:
    subject_days = sum(verdict.subject_hours for verdict in verdicts) / _DAY_HOURS
    return 100 * sum(verdict.wrong for verdict in verdicts) / max(subject_days, 1e-9)


def figures(verdicts: Sequence[Verdict]) -> list[Figure]:
    """Give a figure for each attack, intensity and system, in the order of the verdicts."""
    groups: dict[tuple[str, float, str], list[int]] = {}
    for verdict in verdicts:
        for each in verdict.attacks:
            key = each.name, each.intensity, verdict.system
            groups.setdefault(key, []).append(each.windows_to_detect)
    made = []
    for (attack, intensity, system), group in groups.items():
        delays = [windows for windows in group if windows]
        made.append(
            Figure(
                attack, intensity, system, len(group), len(delays),
                float(median(delays)) if delays else 0.0,
                min(delays, default=0), max(delays, default=0),
            )
        )  # fmt: skip
    return made


def totals(verdicts: Sequence[Verdict]) -> list[Total]:
    """Give each system's total."""
    made = []
    for system in dict.fromkeys(verdict.system for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.system == system]
        attacks = [attack for verdict in mine for attack in verdict.attacks]
        by_seed = [
            _a_day(v for v in mine if v.case.seed == seed)
            for seed in dict.fromkeys(v.case.seed for v in mine)
        ]
        right, wrong = sum(v.right for v in mine), sum(v.wrong for v in mine)
        subject_days = sum(v.subject_hours for v in mine) / _DAY_HOURS
        wrong_by: dict[str, int] = {}
        for verdict in mine:
            for detector, count in verdict.wrong_by.items():
                wrong_by[detector] = wrong_by.get(detector, 0) + count
        made.append(
            Total(
                system,
                sum(attack.windows_to_detect > 0 for attack in attacks) / max(len(attacks), 1),
                right,
                wrong,
                right / max(right + wrong, 1),
                _a_day(mine),
                min(by_seed),
                max(by_seed),
                100 * wrong / max(subject_days, 1e-9),
                sum(v.under_alert * v.subject_hours for v in mine) / max(subject_days * 24, 1e-9),
                dict(sorted(wrong_by.items())),
            )
        )
    return made


def _a_day(verdicts: Iterable[Verdict]) -> float:
    taken = list(verdicts)
    days = sum(verdict.hours for verdict in taken) / _DAY_HOURS
    return sum(verdict.wrong for verdict in taken) / max(days, 1e-9)
