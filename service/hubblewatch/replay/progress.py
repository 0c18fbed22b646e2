"""The progress bar of a replay, by bytes read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from hubblewatch.source.recordings import Recording


@contextmanager
def shown_progress(
    console: Console, recordings: Sequence[Recording], is_shown: bool
) -> Iterator[Callable[[], None]]:
    """While in here, show a bar on ``console``; the callable given brings it up to date."""
    if not is_shown:
        yield lambda: None
        return
    sizes = [recording.bytes_total for recording in recordings]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=total)

        def update() -> None:
            progress.update(task, completed=sum(recording.bytes_read for recording in recordings))

        yield update
