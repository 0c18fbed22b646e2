"""What an export shows on a terminal: a bar while it runs, a summary at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from hubblewatch.export.exporter import Exporter
from hubblewatch.kafka.publisher import PublisherCounts
from hubblewatch.source.recordings import Recording

SHOW_EVERY_SECONDS = 0.25


@contextmanager
def shown_progress(
    console: Console, recordings: Sequence[Recording], exporter: Exporter, is_shown: bool
) -> Iterator[None]:
    """While in here, show a bar by bytes read, and the lines so far."""
    if not is_shown:
        yield
        return
    sizes = [recording.bytes_total for recording in recordings]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    columns = (
        TextColumn("exporting"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("exporting", total=total, lines=0)

        async def update_for_ever() -> None:
            while True:
                done = sum(recording.bytes_read for recording in recordings)
                progress.update(task, completed=done, lines=exporter.lines)
                await asyncio.sleep(SHOW_EVERY_SECONDS)

        updating = asyncio.create_task(update_for_ever())
        try:
            yield
        finally:
            updating.cancel()


def print_summary(
    console: Console, exporter: Exporter, counts: PublisherCounts, seconds: float
) -> None:
    """Tell in a few lines what was exported, and what was not."""
    router = exporter.router
    rate = exporter.lines / seconds if seconds > 0 else 0.0
    told = [
        f"{exporter.lines:,} lines, {router.counts.flows:,} flows in {seconds:,.1f} s "
        f"({rate:,.0f} lines/s)",
        f"{exporter.envelopes_sent:,} envelopes, {exporter.bytes_sent:,} bytes before compression, "
        f"to {router.partitions} partitions",
    ]
    if router.counts.late:
        told.append(f"{router.counts.late:,} flows came after their window had closed")
    for reason, count in sorted(exporter.rejects.counts.items()):
        told.append(f"{count:,} lines rejected: {reason.value}")
    if counts.unpublished:
        told.append(f"{counts.unpublished:,} records did not reach Kafka")
    for line in told:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
