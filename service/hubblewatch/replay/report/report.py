"""The whole report, in reading order: what was read, what it showed, what is wrong, what to do."""

from __future__ import annotations

from rich.console import Console

from hubblewatch.replay.report.advice import advice
from hubblewatch.replay.report.incidents import incident_sections
from hubblewatch.replay.report.overview import overview
from hubblewatch.replay.report.traffic import traffic_tables
from hubblewatch.replay.run import Replay
from hubblewatch.replay.summary import Summary

MAX_WIDTH = 140
"""Wider lines are no easier to read."""


def print_report(console: Console, replay: Replay, summary: Summary) -> None:
    """Print the report of a finished (or interrupted) replay."""
    console.width = min(console.width, MAX_WIDTH)
    console.print(overview(replay, summary))
    for table in traffic_tables(summary):
        console.print()
        console.print(table)
    for section in incident_sections(summary):
        console.print()
        section.print_to(console)
    console.print()
    for step in advice(replay, summary):
        # A command must stay one line to be copied.
        console.print(step.text, soft_wrap=step.is_command, highlight=False)
