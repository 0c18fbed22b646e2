"""The incidents: a table of all, and for the most severe why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hubblewatch.alert.record import AlertRecord
from hubblewatch.detectors.finding import Reason
from hubblewatch.replay.incident_log import IncidentStory
from hubblewatch.replay.report.overview import spans_days
from hubblewatch.replay.report.traffic import table
from hubblewatch.replay.report.wording import (
    SEVERITY_STYLES,
    number,
    printable,
    shown,
    subject_name,
)
from hubblewatch.replay.summary import Summary
from hubblewatch.window.closed import Subject

MAX_ROWS = 30
MAX_PANELS = 5
_SHOWN_EDGES = 3


class Section(Protocol):
    """A part of the report that prints itself."""

    def print_to(self, console: Console) -> None:
        """Print the part."""
        ...


def incident_sections(summary: Summary) -> Iterator[Section]:
    """Give the table of incidents, then one explanation for each of the most severe."""
    stories = summary.incidents.most_severe()
    if not stories:
        return
    yield _Overview(stories, summary.incidents.opened, spans_days(summary))
    for story in stories[:MAX_PANELS]:
        yield _Explanation(story)


class _Overview:
    def __init__(self, stories: list[IncidentStory], opened: int, with_date: bool) -> None:
        self._stories = stories
        self._opened = opened
        self._with_date = with_date

    def print_to(self, console: Console) -> None:
        rows = table(f"Alerts: {number(self._opened)}")
        rows.add_column("Severity", no_wrap=True)
        rows.add_column("When", no_wrap=True)
        rows.add_column("What", overflow="fold", ratio=1)
        for story in self._stories[:MAX_ROWS]:
            rows.add_row(_severity(story.alert), self._when(story), _what(story.alert))
        console.print(rows)
        hidden = self._opened - min(len(self._stories), MAX_ROWS)
        if hidden:
            console.print(Text(f"and {number(hidden)} more; --json gives all of them", "dim"))

    def _when(self, story: IncidentStory) -> Text:
        first = 0 if self._with_date else 11
        begin, end = (
            text[first:16].replace("T", " ") for text in (story.alert.first_seen, story.last_seen)
        )
        text = Text(f"{begin}\nto {end}" if self._with_date else f"{begin} to {end}")
        if not story.is_resolved:
            text.append("\nstill open", "dim")
        return text


class _Explanation:
    def __init__(self, story: IncidentStory) -> None:
        self._alert = story.alert

    def print_to(self, console: Console) -> None:
        alert = self._alert
        style = SEVERITY_STYLES[alert.severity]
        title = Text(printable(f"{alert.severity}: {alert.detector}, {_subject(alert)}"), style)
        console.print(Panel(_reasoning(alert), title=title, title_align="left", border_style=style))
        console.print(Text("See the flows, while Hubble still has them:", "dim"))
        # Outside the panel and unbroken, so that it can be copied.
        console.print(Text(f"  {printable(alert.reproduce)}"), soft_wrap=True)


def _reasoning(alert: AlertRecord) -> RenderableType:
    reasons = Table.grid(padding=(0, 2))
    reasons.add_column(style="bold", no_wrap=True)
    reasons.add_column(overflow="fold")
    reasons.add_row("Why", shown(alert.description))
    for position, reason in enumerate(alert.reasons):
        reasons.add_row("Observed" if position == 0 else "", _reason(reason))
    for position, edge in enumerate(alert.evidence.edges[:_SHOWN_EDGES]):
        reasons.add_row("Edges" if position == 0 else "", shown(edge))
    more = len(alert.evidence.edges) - _SHOWN_EDGES
    if more > 0:
        reasons.add_row("", Text(f"and {more} more", "dim"))
    if alert.completeness < 1:
        reasons.add_row("Seen", Text(f"{100 * alert.completeness:.0f} % of the traffic", "yellow"))
    reasons.add_row("Do", shown(alert.recommendation))
    reasons.add_row("More", shown(alert.runbook, "dim"))
    return Group(shown(alert.summary, "bold"), Text(), reasons)


def _reason(reason: Reason) -> Text:
    usual = f"{_measured(reason.usual_low)} to {_measured(reason.usual_high)}"
    return shown(f"{reason.feature} {_measured(reason.observed)}, usual is {usual}")


def _measured(value: float) -> str:
    """Give a count as counts are given, and a share with the digits in which it is unusual."""
    return f"{round(value, 3):g}" if abs(value) < 1 else number(round(value, 1))


def _severity(alert: AlertRecord) -> Text:
    text = Text(alert.severity.value, SEVERITY_STYLES[alert.severity])
    if alert.shadow:
        text.append("\n(shadow)", "dim")
    return text


def _subject(alert: AlertRecord) -> str:
    if not alert.workload:
        return alert.namespace or alert.cluster
    return subject_name(Subject(alert.namespace, alert.workload, alert.direction))


def _what(alert: AlertRecord) -> Text:
    text = shown(f"{alert.detector}  {_subject(alert)}", "bold")
    text.append(f"\n{printable(alert.summary)}", "not bold")
    return text
