"""A recording at the speed of its own event time, or a multiple of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from hubblewatch.errors import ConfigurationError
from hubblewatch.export.source import Source
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import SecondsCache, TimestampError, parse_ns

MAX_WAIT_SECONDS = 3_600.0
"""A longer pause of a recording is cut short: nobody waits for the night to pass."""


def parse_speed(text: str) -> float | None:
    """Give how many seconds of event time pass in one: None for as fast as can be.

    ``recorded`` is 1. Raises ConfigurationError.
    """
    if text == "max":
        return None
    if text == "recorded":
        return 1.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e6:
        raise ConfigurationError(
            f"--speed {text!r} is none; it is 'max', 'recorded', or a number such as 10"
        )
    return speed


class PacedSource:
    """Another source's lines, each second of them no sooner than it is due.

    Playing begins now with the first line; event times stay as they are.
    """

    is_live = False
    complete_through_ns = 0

    def __init__(
        self,
        source: Source,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._seconds = SecondsCache()
        self._newest: int | None = None
        self._due = 0.0

    async def batches(self) -> AsyncIterator[list[Line]]:
        """Give the lines of one second after the other, when they are due."""
        async for batch in self._source.batches():
            for second, lines in self._by_second(batch):
                if second is not None:
                    if self._newest is None:
                        self._due = self._clock()
                    else:
                        pause = (second - self._newest) / self._speed
                        self._due += min(pause, MAX_WAIT_SECONDS)
                    self._newest = second
                    while (wait := self._due - self._clock()) > 0:
                        await self._sleep(wait)
                yield lines

    def _by_second(self, batch: list[Line]) -> Iterator[tuple[int | None, list[Line]]]:
        """Cut a batch before each line that is later than all before; give its second, or None."""
        newest = self._newest
        second: int | None = None
        lines: list[Line] = []
        for line in batch:
            at = self._second_of(line)
            if at is not None and (newest is None or at > newest):
                if lines:
                    yield second, lines
                newest = second = at
                lines = []
            lines.append(line)
        if lines:
            yield second, lines

    def _second_of(self, line: Line) -> int | None:
        stamp = (line.flow.time if line.flow is not None else "") or line.time
        try:
            if stamp[-1:] == "Z":
                return self._seconds[stamp[:19]]
            return parse_ns(stamp) // 1_000_000_000
        except TimestampError:
            return None
