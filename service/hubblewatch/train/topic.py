"""Rows of closed windows from their topic, through the same baselines and features."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable

import numpy as np

from hubblewatch.baseline.memory import Memory
from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.timestamp import TimestampError, format_seconds, parse_seconds
from hubblewatch.kafka.topics import topic_names
from hubblewatch.kafka.window_range import RangeProgress, TimeRange, read_windows
from hubblewatch.settings import KafkaSettings
from hubblewatch.train.collect import Collector, LeftOut
from hubblewatch.train.gather import Gathered
from hubblewatch.window.closed import WindowRecord
from hubblewatch.window.recorded import closings_of, is_whole

_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class WindowsTrainer:
    """Takes windows as records, in the order of time, and collects what a forest would see.

    Baselines begin cold at the first window, as they do in a recording.
    """

    def __init__(self) -> None:
        self.collector = Collector()
        self.left_out: LeftOut = {}
        self._memory = Memory()
        self._begin = -1

    def take(self, records: list[WindowRecord]) -> None:
        """Take all windows of one stretch of time."""
        usable = []
        for record in records:
            if not record.format:
                self.leave_out("of an older format", 1, _number_of(record))
            elif not is_whole(record):
                self.leave_out("with too many edges", 1, _number_of(record))
            else:
                usable.append(record)
        for closing in closings_of(usable, self._begin):
            if self._begin < 0:
                self._begin = closing.number
                closing.age = 0
            self._memory.meet(closing)
            self.collector.inspect(closing, self._memory)
            suspects = [window.subject for window in closing.windows if window.is_suspicious]
            self._memory.learn(closing, suspects)
            self._memory.drain_changed()
            self.collector.settle(closing)

    def leave_out(self, why: str, count: int, number: int = -1) -> None:
        """Count what is left out; without a number where nobody knows its window."""
        if count:
            self.left_out.setdefault(why, Counter())[number] += count

    def gathered(self, source: str) -> Gathered:
        """Give all that was collected."""
        rows = self.collector.rows()
        return Gathered(
            source,
            rows,
            np.zeros(len(rows.values), dtype=bool),
            -1,
            self.collector.spans,
            self.collector.left_out | self.left_out,
        )


def _number_of(record: WindowRecord) -> int:
    """Give the number of a window that is not used, so that its times may be anything; or -1."""
    try:
        start, end = parse_seconds(record.start), parse_seconds(record.end)
    except TimestampError:
        return -1
    return start // max(1, end - start)


def gather_topic(
    settings: KafkaSettings, wanted: TimeRange, tell: Callable[[RangeProgress], None]
) -> Gathered:
    """Collect what the forest would have seen of the topic's windows.

    Raises KafkaTroubleError, and NewerWindowError for windows that a newer service wrote.
    """
    trainer = WindowsTrainer()
    progress = asyncio.run(read_windows(settings, wanted, trainer.take, tell))
    trainer.leave_out("out of order", progress.late)
    trainer.leave_out("unreadable", progress.broken)
    begin = "the begin" if wanted.since is None else format_seconds(wanted.since)
    end = "the end" if wanted.until is None else format_seconds(wanted.until)
    return trainer.gathered(f"topic {topic_names(settings).windows} from {begin} to {end}")


def parse_range(since: str | None, until: str | None, now: int) -> TimeRange:
    """Give the range of two options, each an RFC 3339 time or how long ago (``14d``, ``36h``).

    Raises ConfigurationError.
    """
    wanted = TimeRange(
        _moment("--since", since, now) if since else None,
        _moment("--until", until, now) if until else None,
    )
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise ConfigurationError("--since must be earlier than --until")
    return wanted


def _moment(option: str, text: str, now: int) -> int:
    ago = _DURATION.fullmatch(text)
    if ago is not None:
        return max(0, now - int(ago[1]) * _SECONDS[ago[2]])
    try:
        return parse_seconds(text)
    except TimestampError as error:
        raise ConfigurationError(
            f"{option} is neither an RFC 3339 time nor a duration such as 14d, 36h or 90m: {error}"
        ) from None
