"""What another model would change: the incidents of two replays side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hubblewatch.replay.incident_log import IncidentLog, IncidentStory

MAX_SHOWN = 20


class Comparison:
    """Incidents by id of a first and a second replay of the same recordings."""

    def __init__(self, first: IncidentLog, second: IncidentLog) -> None:
        ours = {story.alert.incident: story for story in first.most_severe()}
        theirs = {story.alert.incident: story for story in second.most_severe()}
        self.gone = [story for name, story in ours.items() if name not in theirs]
        """Incidents that the second would not raise."""
        self.new = [story for name, story in theirs.items() if name not in ours]
        """Incidents that only the second would raise."""
        self.kept = len(ours) - len(self.gone)


def print_comparison(console: Console, comparison: Comparison, first: str, second: str) -> None:
    """Say what would change if the second model replaced the first."""
    console.print(
        f"\nWith {second} instead of {first}: {comparison.kept} incidents stay, "
        f"{len(comparison.gone)} would go, {len(comparison.new)} would come.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    changes = [("goes", comparison.gone), ("comes", comparison.new)]
    if not comparison.gone and not comparison.new:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("", "begin", "detector", "subject", "score", "most odd"):
        table.add_column(heading, justify="right" if heading == "score" else "left")
    for word, stories in changes:
        for story in stories[:MAX_SHOWN]:
            table.add_row(word, *_cells(story))
        if len(stories) > MAX_SHOWN:
            table.add_row(word, f"and {len(stories) - MAX_SHOWN} more")
    console.print(table, highlight=False)


def _cells(story: IncidentStory) -> Sequence[str]:
    alert = story.alert
    subject = f"{alert.namespace}/{alert.workload}" if alert.namespace else alert.cluster
    return (
        alert.first_seen,
        alert.detector + (" (shadow)" if alert.shadow else ""),
        subject,
        f"{alert.score:.2f}",
        ", ".join(reason.feature for reason in alert.reasons[:3]),
    )
