"""What to do next, by what the replay met."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from rich.text import Text

from hubblewatch.attempt.intake import CONNECTION_TABLE
from hubblewatch.flow.reject import RejectReason
from hubblewatch.replay.report.wording import counted, number, printable, share
from hubblewatch.replay.run import Replay
from hubblewatch.replay.summary import Summary
from hubblewatch.window.completeness import EXPORTER_BUFFER, STREAM_GAP

MUCH_LATE = 0.01
"""Share of late flows from which the counts are noticeably too low."""

MAX_NAMES = 3
"""Recordings named in a command."""

ENOUGH_WINDOWS = 30
"""Fewer than this and hardly any baseline has been learned."""


class Step(NamedTuple):
    """A sentence, or a command to be copied."""

    text: Text
    is_command: bool = False


def advice(replay: Replay, summary: Summary) -> Iterator[Step]:
    """Give the closing lines; the last one is always a next step."""
    counts = replay.pipeline.counts
    if replay.damage:
        yield _line("A recording is damaged: copy or record it again. What was readable counts.")
    if not counts.flows:
        yield from _nothing(replay)
        return
    if counts.late > MUCH_LATE * (counts.flows + counts.late):
        yield from _late(replay)
    if summary.below_floor:
        windows = counted(summary.below_floor, "window")
        were = "was" if summary.below_floor == 1 else "were"
        causes = " ".join(_why_incomplete(replay, summary))
        yield _line(f"{windows} {were} seen too incompletely to learn from. {causes}")
    if replay.rejects.counts.get(RejectReason.AHEAD):
        yield _line("Some lines are hours ahead of the rest: check the clocks of the nodes named.")
    if summary.incidents.opened:
        yield _line("Begin with the first alert above and its command. To keep the records:")
    else:
        yield _line("No alerts.")
        if summary.closings < ENOUGH_WINDOWS:
            yield _line(
                f"{number(summary.closings)} windows are few: what is usual for a workload is "
                f"known after {ENOUGH_WINDOWS} or more. Record longer, or look at the counts:"
            )
        else:
            yield _line("To look at the counts themselves:")
    names = " ".join(shlex.quote(recording.name) for recording in replay.recordings[:MAX_NAMES])
    if len(replay.recordings) > MAX_NAMES:
        names += " …"
    if summary.incidents.opened:
        yield _command(f"hubblewatch replay {names} --json > alerts.jsonl")
    else:
        yield _command(f"hubblewatch replay {names} --windows windows.jsonl")


def _why_incomplete(replay: Replay, summary: Summary) -> Iterator[str]:
    """Give what to do about each cause that the report names above."""
    lost = {source for source, count in replay.pipeline.counts.lost.items() if count}
    if lost - {EXPORTER_BUFFER, STREAM_GAP}:
        yield (
            "Hubble lost events: raise hubble.eventBufferCapacity in Cilium's chart, or record on "
            "each node with an export file."
        )
    if EXPORTER_BUFFER in lost:
        yield (
            "An exporter had no room for events until Kafka took them: look at Kafka, and raise "
            "export.spool.max_mib."
        )
    if STREAM_GAP in lost:
        yield (
            "Events came while nothing was read: raise hubble.eventBufferCapacity, or keep more or "
            "larger backups of followed files."
        )
    if replay.pipeline.counts.uncounted.get(CONNECTION_TABLE):
        yield (
            "More connections began at once than there is room for, as in a flood or a scan: if "
            "memory allows, raise window.max_connections and replay again."
        )
    if any(worst.silent_nodes for worst in summary.worst):
        yield "Nodes fell silent: check Hubble on those named above (hubble list nodes)."
    if any(worst.gap_share for worst in summary.worst):
        yield (
            "Heartbeats are missing, so records were lost behind the exporter: look at its log and "
            "its dropped-lines counter."
        )


def _nothing(replay: Replay) -> Iterator[Step]:
    if replay.is_without_flows:
        yield _line("None of the lines was a flow. A recording is made with:")
    else:
        yield _line("The recording holds no flows. One is made with:")
    yield _command("hubble observe --output jsonpb --follow > flows.jsonl")
    yield _line("or, without a cluster:")
    yield _command("hubblewatch simulate --out flows.jsonl")


def _late(replay: Replay) -> Iterator[Step]:
    counts = replay.pipeline.counts
    late = share(counts.late / (counts.flows + counts.late))
    lateness = replay.settings.window.lateness_seconds
    size = replay.settings.window.size_seconds
    yield _line(
        f"{late} of the flows came more than {lateness} s behind the newest and were not counted. "
        "If the recording joins several nodes' files one after the other, name those files one by "
        "one: they are merged by time. If not, allow more lateness:"
    )
    yield _command(
        f"HUBBLEWATCH_WINDOW__LATENESS_SECONDS={min(size, max(30, 3 * lateness))} "
        "hubblewatch replay …"
    )


def _line(text: str) -> Step:
    return Step(Text(text))


def _command(text: str) -> Step:
    return Step(Text(f"  {printable(text)}", "bold"), is_command=True)
