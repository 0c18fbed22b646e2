"""A publisher that never lets its caller wait while there is room on disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from hubblewatch.kafka.envelope import HEADERS
from hubblewatch.kafka.publisher import ABANDON_SECONDS, Pending, Publisher
from hubblewatch.kafka.spool.record import SpoolRecord
from hubblewatch.kafka.spool.spool import DropReason, Spool

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How often a disk that gives errors is tried again."""

STOP_SECONDS = ABANDON_SECONDS + 0.5
"""Less than without a spool: what Kafka does not take now goes first at the next start."""


class _Origin(Enum):
    MEMORY = 0
    SPOOL = 1
    LOSSES = 2


class _Passed(NamedTuple):
    """A record given to the publisher; ``number`` of those handed in here, 0 for an earlier run."""

    origin: _Origin
    number: int


class SpoolingPublisher:
    """Records to Kafka as ``publisher`` does it; what it has no room for goes through ``spool``.

    From the first spooled record on all go through the spool until it is empty, so that each
    partition keeps its order. What an earlier run left goes first. Beyond the spool's bound the
    oldest records go, and lines of loss to all ``partitions`` of the flow topic take their place.
    If the disk gives errors, whoever publishes waits as without a spool.
    """

    def __init__(
        self,
        publisher: Publisher,
        spool: Spool,
        topics: Sequence[str],
        partitions: int,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``topics`` are those that may be published to, the flow topic first."""
        self.counts = publisher.counts
        self.spool = spool
        self._publisher = publisher
        self._topics = tuple(topics)
        self._partitions = partitions
        self._wall_clock = wall_clock
        self._handed_in = 0
        self._delivered = 0
        self._passed: deque[_Passed] = deque()
        """Where each record is from that the publisher has and Kafka has not acknowledged."""
        self._acknowledged = 0
        self._untold: deque[tuple[int, bytes]] = deque()
        """Partitions and values of losses that are to be told now."""
        self._losses_under_way = 0
        self._spooled = asyncio.Event()
        self._replaying: asyncio.Task[None] | None = None
        self._is_failing = False

    def start(self) -> None:
        """Begin in the background; returns at once."""
        self._publisher.start()
        self._replaying = asyncio.create_task(self._replay_for_ever(), name="spool")

    async def publish(
        self, topic: str, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Hand in a record; waits only if neither memory nor disk takes it. Raises as Publisher."""
        self._raise_if_ended()
        self._settle()
        record = SpoolRecord(
            topic,
            partition,
            value,
            tuple(headers),
            round(self._wall_clock() * 1000),
            self._handed_in + 1,
        )
        while True:
            if self._is_drained and self._publisher.has_room:
                self._keep_apart()
                self._passed.append(_Passed(_Origin.MEMORY, record.number))
                await self._publisher.publish(topic, partition, value, headers, record.timestamp_ms)
                break
            if self._kept(record):
                self._spooled.set()
                break
            await asyncio.sleep(RETRY_SECONDS)
            self._raise_if_ended()
        self._handed_in += 1

    async def flush(self) -> None:
        """Wait until Kafka has all, the spool's records too; raises as publish."""
        while True:
            await self._publisher.flush()
            self._settle()
            if self._is_drained:
                return
            self._raise_if_ended()
            await asyncio.sleep(0.05)

    @property
    def delivered(self) -> int:
        """How many records, from the first handed in on, are in Kafka, or dropped and told so."""
        self._settle()
        return self._delivered

    @property
    def is_connected(self) -> bool:
        """As of Publisher."""
        return self._publisher.is_connected

    @property
    def overdue(self) -> int:
        """As of Publisher; what waits in the spool is not among them."""
        return self._publisher.overdue

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End within ``seconds``; what Kafka has not acknowledged is left in the spool."""
        if self._replaying is not None:
            self._replaying.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._replaying
            self._replaying = None
        await self._publisher.stop(seconds, tells=False)
        self._settle()
        waiting = list(zip(self._publisher.waiting(), self._passed, strict=True))
        there = self.spool.still_there()
        while waiting and waiting[-1][1].origin is not _Origin.MEMORY:
            if waiting[-1][1].origin is _Origin.SPOOL and not there.pop():
                break
            waiting.pop()
        # What the spool has of it goes along, for the order's sake; losses it tells again anyway.
        kept = [
            (_spooled(record, self._wall_clock), passed.origin)
            for record, passed in waiting
            if passed.origin is not _Origin.LOSSES
        ]
        from_spool = sum(origin is _Origin.SPOOL for _, origin in kept)
        try:
            self.spool.put_before([record for record, _ in kept], from_spool)
            self.counts.unpublished = 0
        except OSError as error:
            self.counts.unpublished = len(kept) - from_spool
            log.error(
                "%d records did not reach Kafka, nor the spool: %s",
                self.counts.unpublished,
                error.strerror,
            )
        if self.spool.counts.envelopes:
            log.warning(
                "%d records are left in the spool for the next start", self.spool.counts.envelopes
            )
        self.spool.close()

    @property
    def _is_drained(self) -> bool:
        return self.spool.is_empty and not self.spool.losses and not self._untold

    def _keep_apart(self) -> None:
        """Let no file of the spool hold records from before and after one that passes it by."""
        if self.spool.counts.envelopes:
            try:
                self.spool.begin_file()
            except OSError as error:
                log.warning("cannot make the spool's last file last: %s", error.strerror)

    def _kept(self, record: SpoolRecord) -> bool:
        """Put a record into the spool if the disk takes it."""
        try:
            self.spool.append(record)
        except OSError as error:
            if not self._is_failing:
                log.error(
                    "cannot write to the spool (%s); reading waits until Kafka or the disk is back",
                    error.strerror,
                )
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    async def _replay_for_ever(self) -> None:
        while True:
            while not self._is_drained:
                # From here to the next wait nobody else hands anything to the publisher.
                await self._publisher.wait_for_room()
                self._settle()
                if self.spool.losses and not self._untold:
                    self._take_losses()
                if self._untold:
                    # What was dropped is told before anything that came after it.
                    partition, value = self._untold.popleft()
                    self._losses_under_way += 1
                    self._passed.append(_Passed(_Origin.LOSSES, 0))
                    await self._publisher.publish(self._topics[0], partition, value, HEADERS)
                elif (found := self.spool.read()) is not None:
                    await self._replay(*found)
                await asyncio.sleep(0)
            self._spooled.clear()
            await self._spooled.wait()

    def _take_losses(self) -> None:
        for partition in range(self._partitions):
            for value in self.spool.losses.envelopes(partition):
                self._untold.append((partition, value))
        self.spool.losses.send()

    async def _replay(self, record: SpoolRecord, is_own: bool) -> None:
        if record.topic not in self._topics or record.partition >= self._partitions:
            if not self.spool.counts.dropped[DropReason.FOREIGN]:
                log.warning("the spool holds records for %s, which is not published", record.topic)
            self.spool.refuse(record)
            return
        self._passed.append(_Passed(_Origin.SPOOL, record.number if is_own else 0))
        await self._publisher.publish(
            record.topic, record.partition, record.value, record.headers, record.timestamp_ms
        )

    def _settle(self) -> None:
        """Take note of what Kafka has acknowledged since."""
        delivered = self._publisher.delivered
        while self._acknowledged < delivered:
            self._acknowledged += 1
            passed = self._passed.popleft()
            if passed.origin is _Origin.SPOOL:
                self.spool.release()
                self.spool.counts.replayed += 1
            elif passed.origin is _Origin.LOSSES:
                self._losses_under_way -= 1
                if not (self._losses_under_way or self._untold):
                    self.spool.tell_losses()
            if passed.number:
                self._delivered = passed.number

    def _raise_if_ended(self) -> None:
        if self._replaying is None:
            raise RuntimeError("the publisher is not started, or has been stopped")
        if self._replaying.done():
            self._replaying.result()


def _spooled(record: Pending, wall_clock: Callable[[], float]) -> SpoolRecord:
    return SpoolRecord(
        record.topic,
        record.partition,
        record.value,
        tuple(record.headers),
        record.timestamp_ms if record.timestamp_ms is not None else round(wall_clock() * 1000),
    )
