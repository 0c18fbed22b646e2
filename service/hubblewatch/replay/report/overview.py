"""What was read, how fast, and how much of it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hubblewatch.attempt.intake import CONNECTION_TABLE, LOOKUPS
from hubblewatch.replay.report.wording import (
    clock_time,
    counted,
    counts_by_name,
    duration,
    number,
    printable,
    share,
    shown,
)
from hubblewatch.replay.run import Replay
from hubblewatch.replay.summary import MAX_SUBJECTS, Incompleteness, Summary

_MANY_NAMES = 3
_DAY_SECONDS = 86_400
_NO_ROOM = (CONNECTION_TABLE, LOOKUPS)


def spans_days(summary: Summary) -> bool:
    """Tell whether times need their date."""
    first = summary.start or 0
    return first // _DAY_SECONDS != max(first, summary.end - 1) // _DAY_SECONDS


def overview(replay: Replay, summary: Summary) -> RenderableType:
    """Give the heading and the facts about the recording as a whole."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _facts(replay, summary):
        grid.add_row(name, value)
    names = [recording.place for recording in replay.recordings]
    more = f" and {len(names) - _MANY_NAMES} more" if len(names) > _MANY_NAMES else ""
    heading = Text("Replay of ", style="bold")
    heading.append(printable(", ".join(names[:_MANY_NAMES]) + more))
    if replay.is_interrupted:
        heading.append("  interrupted: this is what was read until then", style="yellow")
    return Group(heading, Text(), grid)


def _facts(replay: Replay, summary: Summary) -> Iterator[tuple[str, RenderableType]]:
    counts = replay.pipeline.counts
    yield "Time", _time(replay, summary)
    yield "Lines", _speed(replay, summary)
    for damage in replay.damage:
        yield "Damaged", shown(damage, "red")
    if replay.rejects.total:
        yield "Rejected", _rejects(replay)
    if counts.late:
        yield "Late", Text(f"{counted(counts.late, 'flow')} of windows already closed", "yellow")
    lost = {str(source): count for source, count in counts.lost.items() if count}
    if lost:
        yield "Lost", shown(f"before it could be recorded: {counts_by_name(lost)}", "yellow")
    no_room = {name: counts.uncounted[name] for name in _NO_ROOM if counts.uncounted.get(name)}
    if no_room:
        yield "No room", shown(f"for flows to be counted: {counts_by_name(no_room)}", "yellow")
    if summary.closings:
        yield "Complete", _completeness(replay, summary)
    if counts.flows:
        yield "Verdicts", shown(counts_by_name({str(v): n for v, n in counts.verdicts.items()}))
        yield "Protocols", shown(f"of flows: {counts_by_name(counts.protocols)}")
    nobodys = {name: count for name, count in counts.uncounted.items() if name not in _NO_ROOM}
    if nobodys:
        yield "Uncounted", shown(f"no part of a connection: {counts_by_name(nobodys)}")
    if summary.attempts:
        yield "Attempts", _attempts(summary)
    if summary.dns_queries:
        yield (
            "DNS",
            Text(f"{number(summary.dns_queries)} queries, {number(summary.dns_failed)} failed"),
        )
    suppressed = replay.pipeline.incidents.suppressed
    if suppressed:
        yield "Suppressed", shown(f"findings, by entry: {counts_by_name(suppressed)}")
    if summary.capped:
        yield "Capped", Text(f"{counted(summary.capped, 'window')} with more peers than are kept")


def _time(replay: Replay, summary: Summary) -> Text:
    if summary.start is None:
        return Text("nothing that carries a time was read", "yellow")
    size = replay.settings.window.size_seconds
    with_date = spans_days(summary)
    end = clock_time(summary.end, with_date)
    pauses = " with pauses between" if summary.closings * size < summary.end - summary.start else ""
    return Text(
        f"{clock_time(summary.start, True)} to {end} UTC, "
        f"{counted(summary.closings, 'window')} of {size} s{pauses}"
    )


def _speed(replay: Replay, summary: Summary) -> Text:
    flows, seconds = replay.pipeline.counts.flows, max(replay.seconds, 1e-6)
    text = f"{number(replay.lines)} in {duration(seconds)}"
    if flows:
        text += f", {number(round(flows / seconds))} flows/s"
    if summary.closings:
        recorded = summary.closings * replay.settings.window.size_seconds
        text += f", {number(round(recorded / seconds))} times real time"
    return Text(text)


def _rejects(replay: Replay) -> Text:
    rejects = replay.rejects
    text = Text(counted(rejects.total, "line"), "yellow")
    for reason, count in sorted(rejects.counts.items(), key=lambda entry: -entry[1]):
        text.append(f"\n{reason}: {number(count)}")
        for first in rejects.first[reason]:
            text.append("\n  " + printable(f"{first.place}: {first.detail}"), "dim")
    return text


def _completeness(replay: Replay, summary: Summary) -> Text:
    if not summary.incomplete:
        return Text("nothing is known to be missing")
    floor = replay.settings.window.completeness_floor
    text = Text(
        f"{number(summary.incomplete)} of {number(summary.closings)} windows miss something, "
        f"{number(summary.below_floor)} are below {share(floor)}",
        "yellow",
    )
    with_date = spans_days(summary)
    for worst in sorted(summary.worst, reverse=True):
        text.append(
            f"\n{clock_time(worst.start, with_date)}  {share(1 - worst.missed)} seen: "
            + _missing(worst)
        )
    return text


def _missing(worst: Incompleteness) -> str:
    parts = []
    if worst.lost:
        parts.append(f"{number(worst.lost)} events lost")
    if worst.silent_nodes:
        more = len(worst.silent_nodes) - _MANY_NAMES
        names = ", ".join(worst.silent_nodes[:_MANY_NAMES]) + (f" and {more} more" * (more > 0))
        parts.append(f"silent {printable(names)}")
    if worst.gap_share:
        parts.append(f"{share(worst.gap_share)} of the heartbeats missing")
    return ", ".join(parts)


def _attempts(summary: Summary) -> Text:
    text = Text(f"{counted(summary.attempts, 'connection')} begun: ")
    text.append(counts_by_name(summary.outcomes))
    text.append(f"; {counted(summary.windows, 'window')} of {_subjects(summary)}")
    return text


def _subjects(summary: Summary) -> str:
    told = counted(len(summary.subjects), "subject")
    return told if len(summary.subjects) < MAX_SUBJECTS else f"{told} or more"
