"""The exporter: from a source's lines to records, in one loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from hubblewatch.export.confirmation import Confirmable, Confirmation
from hubblewatch.export.rejects import Rejects
from hubblewatch.export.source import Source
from hubblewatch.flow.redact import Redaction
from hubblewatch.kafka.envelope import HEADERS, Envelope, Envelopes
from hubblewatch.kafka.router import Router
from hubblewatch.kafka.topics import TopicNames
from hubblewatch.window.pace import Pace

TICK_SECONDS = 0.05
STOP_SECONDS = 6.0
"""How long what was read may still take to Kafka once the exporter was told to stop. With the time
that a publisher takes to give up it is less than ten."""


class _Record(NamedTuple):
    topic: str
    partition: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    is_envelope: bool


class Publishes(Protocol):
    """Takes records, each partition's in order; waits when it has too much."""

    async def publish(
        self, topic: str, partition: int, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        """Hand in a record."""
        ...

    async def flush(self) -> None:
        """Wait until all that was handed in has arrived."""
        ...

    @property
    def delivered(self) -> int:
        """How many records, from the first on, have arrived, with none missing in between."""
        ...


class Exporter:
    """Runs one source through ``redaction``, ``router``, ``envelopes`` and ``publisher``, once.

    ``wall_clock`` gives seconds since the epoch and moves a live source's event time on, no faster
    than ``steady`` goes, a clock in seconds that never jumps.
    """

    def __init__(
        self,
        router: Router,
        envelopes: Envelopes,
        publisher: Publishes,
        rejects: Rejects,
        topics: TopicNames,
        redaction: Redaction,
        wall_clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.router = router
        self.rejects = rejects
        self.lines = 0
        self.envelopes_sent = 0
        self.bytes_sent = 0
        """Bytes of the envelopes before compression."""
        self._envelopes = envelopes
        self._publisher = publisher
        self._topics = topics
        self._redaction = redaction
        self._wall_clock = wall_clock
        self._pace = Pace(wall_clock, steady)
        self._outbox: deque[_Record] = deque()
        self._handed_in = 0
        self._confirmation: Confirmation | None = None
        # Whoever takes envelopes hands them in before another takes later ones of their partition.
        self._order = asyncio.Lock()

    async def run(self, source: Source, stop: asyncio.Event, closes_last: bool = True) -> bool:
        """Export all of ``source``, or what was read until ``stop`` is set; give whether it is all.

        Returns when Kafka has it, or, once stopped, after ``STOP_SECONDS`` at most.
        ``closes_last`` ends a whole source with the heartbeat that closes its last window.
        """
        if isinstance(source, Confirmable):
            self._confirmation = Confirmation(source)
        stopping = asyncio.create_task(stop.wait())
        reading = asyncio.create_task(self._read(source))
        ticking = asyncio.create_task(self._tick(source))
        sending: asyncio.Task[None] | None = None
        try:
            await _first_of(reading, ticking, stopping)
            is_whole = reading.done()
            await _cancelled(reading, ticking)
            sending = asyncio.create_task(
                self._finish(is_whole and closes_last and not source.is_live)
            )
            await _first_of(sending, stopping)
            if not sending.done():
                await asyncio.wait({sending}, timeout=STOP_SECONDS)
            return is_whole and sending.done()
        finally:
            await _cancelled(stopping, reading, ticking, *([] if sending is None else [sending]))

    async def _read(self, source: Source) -> None:
        async for lines in source.batches():
            self.lines += len(lines)
            self._redaction.redact(lines)
            async with self._order:
                self.router.take(lines)
                await self._send(self._envelopes.add(self.router.drain()))

    async def _tick(self, source: Source) -> None:
        """Send what has waited for long enough; move a live stream's time on, as far as it came."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            async with self._order:
                through = source.complete_through_ns // 1_000_000_000 if source.is_live else 0
                if through:
                    second = min(int(self._wall_clock()), through)
                    self.router.reach(self._pace.bounded(second, self.router.newest_flow))
                    await self._send(self._envelopes.add(self.router.drain()))
                await self._send(self._envelopes.due())
                await self._mark(False)
            if self._confirmation is not None:
                await self._confirmation.confirm(self._publisher.delivered)

    async def _mark(self, is_last: bool) -> None:
        """Mark how far the source is, when it is time, once all of its lines are handed in."""
        confirmation, now = self._confirmation, time.monotonic()
        if confirmation is None or not (is_last or confirmation.is_due(now)):
            return
        # Lines whose time is in doubt are not handed in yet.
        if not self.router.is_holding:
            await self._send(self._envelopes.flush())
            confirmation.mark(now, self._handed_in)

    async def _finish(self, is_last: bool) -> None:
        self.router.finish(is_last)
        await self._send(self._envelopes.add(self.router.drain()))
        await self._send(self._envelopes.flush())
        await self._mark(True)
        await self._publisher.flush()
        if self._confirmation is not None:
            await self._confirmation.confirm(self._publisher.delivered)

    async def _send(self, envelopes: list[Envelope]) -> None:
        """Hand in envelopes, and rejects; what a cancellation leaves goes first the next time."""
        outbox = self._outbox
        outbox.extend(
            _Record(self._topics.flows, partition, value, HEADERS, True)
            for partition, value, _ in envelopes
        )
        outbox.extend(
            _Record(self._topics.rejects, 0, record.value, record.headers, False)
            for record in self.rejects.drain()
        )
        while outbox:
            record = outbox[0]
            await self._publisher.publish(
                record.topic, record.partition, record.value, record.headers
            )
            outbox.popleft()
            self._handed_in += 1
            if record.is_envelope:
                self.envelopes_sent += 1
                self.bytes_sent += len(record.value)


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    """Wait until one of the tasks is done, and raise its error if it has one."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
