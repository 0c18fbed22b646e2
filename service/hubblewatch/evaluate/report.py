"""The evaluation as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from hubblewatch.detectors.wording import counted
from hubblewatch.evaluate.figures import Figure, Row, Total, figures, rows, totals
from hubblewatch.evaluate.systems import SYSTEMS
from hubblewatch.evaluate.trial import Verdict


def as_json(verdicts: Sequence[Verdict], model: str) -> bytes:
    """Give everything as one JSON document."""
    document = {
        "schema": "hubblewatch.evaluation/v1",
        "model": model,
        "totals": totals(verdicts),
        "figures": figures(verdicts),
        "verdicts": list(verdicts),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def as_markdown(verdicts: Sequence[Verdict], model: str) -> str:
    """Give the tables that people read."""
    cases = {verdict.case for verdict in verdicts}
    seeds = len({case.seed for case in cases})
    first = [verdict for verdict in verdicts if verdict.system == verdicts[0].system]
    hours = sum(verdict.hours for verdict in first)
    subject_days = sum(verdict.subject_hours for verdict in first) / 24
    return f"""{counted(len(cases), "recording")} of {counted(seeds, "seed")}, {hours:.1f} hours, \
{subject_days:.1f} subject days; model {model}.

{_totals(totals(verdicts))}

{_figures(figures(verdicts))}

{_rows(rows(first))}
"""


def _totals(made: Sequence[Total]) -> str:
    lines = [
        "| system | attacks found | right alerts | false alerts | precision | false a day (seeds) "
        "| false a day and 100 subjects | windows under alert | false by detector |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for total in made:
        by = ", ".join(f"{name} {count}" for name, count in total.wrong_by.items())
        lines.append(
            f"| {total.system} | {total.recall:.0%} | {total.right} | {total.wrong} | "
            f"{total.precision:.2f} | {total.false_a_day:.1f} ({total.false_a_day_least:.0f} to "
            f"{total.false_a_day_most:.0f}) | {total.false_a_day_100_subjects:.1f} | "
            f"{total.under_alert:.1%} | {by} |"
        )
    return "\n".join(lines)


def _rows(made: Sequence[Row]) -> str:
    """Everything about one system, a row for each scenario and intensity."""
    lines = [
        "| scenario | intensity | found | windows (least to most) | precision | "
        "false a day and 100 subjects (seeds) |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for row in made:
        delays = row.delays
        windows = f"{median(delays):g} ({delays[0]} to {delays[-1]})" if delays else "never"
        alerts = row.right + row.wrong
        precision = f"{row.right / alerts:.2f}" if alerts and row.is_attack else ""
        lines.append(
            f"| `{row.name}` | {row.intensity:g} | "
            f"{f'{len(delays)}/{row.attacks}' if row.is_attack else ''} | "
            f"{windows if row.is_attack else ''} | {precision} | {row.false_rate:.1f} "
            f"({min(row.false_rates):.0f} to {max(row.false_rates):.0f}) |"
        )
    return "\n".join(lines)


def _figures(made: Sequence[Figure]) -> str:
    """One row an attack and intensity, one column a system: found of all, median delay, range."""
    systems = [system for system in SYSTEMS if any(f.system == system for f in made)]
    lines = [
        f"| attack | intensity | {' | '.join(systems)} |",
        f"| --- | ---: | {' | '.join('---' for _ in systems)} |",
    ]
    known = {(f.attack, f.intensity, f.system): f for f in made}
    for attack, intensity in dict.fromkeys((f.attack, f.intensity) for f in made):
        cells = [_cell(known[attack, intensity, system]) for system in systems]
        lines.append(f"| `{attack}` | {intensity:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(figure: Figure) -> str:
    if not figure.found:
        return f"0/{figure.attacks}"
    delay = f"{figure.delay_median:g}"
    if figure.delay_least != figure.delay_most:
        delay += f" ({figure.delay_least} to {figure.delay_most})"
    return f"{figure.found}/{figure.attacks}, {delay}"
