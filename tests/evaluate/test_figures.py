"""Figures from verdicts."""

from __future__ import annotations

import msgspec
import pytest

from hubblewatch.evaluate.figures import figures, rows, totals
from hubblewatch.evaluate.report import as_json, as_markdown
from hubblewatch.evaluate.systems import FULL, RULES
from hubblewatch.evaluate.trial import Attack, Case, Verdict


def verdict(
    system: str = FULL, seed: int = 1, delay: int = 2, wrong: int = 0, attack: str = "port-scan"
) -> Verdict:
    kind = "attack" if attack != "quiet" else "disturbance"
    return Verdict(
        case=Case(attack, kind, 1.0, seed),
        system=system,
        attacks=[Attack(attack, 1.0, delay)] if kind == "attack" else [],
        right=int(delay > 0),
        wrong=wrong,
        wrong_by={"policy-denials": wrong} if wrong else {},
        under_alert=0.5 * wrong,
        hours=1.0,
        subject_hours=24.0,
    )


def test_recall_is_of_attacks_and_delay_of_those_found() -> None:
    (figure,) = figures(
        [verdict(seed=1, delay=2), verdict(seed=2, delay=0), verdict(seed=3, delay=6)]
    )
    assert (figure.found, figure.attacks) == (2, 3)
    assert figure.recall == pytest.approx(2 / 3)
    assert (figure.delay_median, figure.delay_least, figure.delay_most) == (4.0, 2, 6)


def test_precision_counts_false_alerts_of_quiet_recordings_too() -> None:
    (total,) = totals([verdict(), verdict(attack="quiet", delay=0, wrong=3)])
    assert total.precision == pytest.approx(0.25)
    assert total.recall == 1.0
    assert total.wrong_by == {"policy-denials": 3}


def test_false_alerts_of_a_day_come_with_the_spread_of_the_seeds() -> None:
    (total,) = totals([verdict(seed=1, wrong=0), verdict(seed=2, wrong=2)])
    assert total.false_a_day == pytest.approx(24.0)
    assert (total.false_a_day_least, total.false_a_day_most) == (0.0, 48.0)
    assert total.false_a_day_100_subjects == pytest.approx(100.0)


def test_the_tables_have_a_row_for_each_system_and_attack() -> None:
    made = [verdict(), verdict(RULES, delay=0)]
    text = as_markdown(made, "small@1")
    assert "| full | 100% | 1 | 0 | 1.00 |" in text
    assert text.startswith("1 recording of 1 seed, ")
    assert "| `port-scan` | 1 | 1/1, 2 | 0/1 |" in text


def test_the_json_holds_every_verdict() -> None:
    document = msgspec.json.decode(as_json([verdict(), verdict(RULES)], "small@1"))
    assert document["schema"] == "hubblewatch.evaluation/v1"
    assert len(document["verdicts"]) == 2


def test_a_row_tells_all_about_a_scenario_with_the_spread_of_its_recordings() -> None:
    made = [verdict(seed=1, delay=4, wrong=1), verdict(seed=2, delay=2), verdict(attack="quiet")]
    row, quiet = rows(made)
    assert (row.name, row.attacks, row.delays) == ("port-scan", 2, [2, 4])
    assert (row.right, row.wrong, row.false_rate) == (2, 1, pytest.approx(50.0))
    assert row.false_rates == [pytest.approx(100.0), 0.0]
    assert not quiet.is_attack
    text = as_markdown(made, "small@1")
    assert "| `port-scan` | 1 | 2/2 | 3 (2 to 4) | 0.67 | 50.0 (0 to 100) |" in text
    assert "| `quiet` | 1 |  |  |  | 0.0 (0 to 0) |" in text
