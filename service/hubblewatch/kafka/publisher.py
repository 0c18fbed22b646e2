"""Records to Kafka: each at least once, each partition in order, however long Kafka is away.

What has been handed in stays in memory until Kafka has it, up to a bound; who hands in more waits.
When the producer fails or falls silent it is replaced, and what is not acknowledged goes out again
from the first such record on. aiokafka's idempotent producer has one batch a partition under way
and numbers them, so a later batch never passes a failed one: after a replacement records may be
there twice, but none is missing and none has changed places.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed
from msgspec import Struct

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.pacing import pace
from hubblewatch.kafka.probe import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, wait_for_kafka
from hubblewatch.settings import KafkaSettings

log = logging.getLogger(__name__)

MAX_PENDING_BYTES = 32 << 20
"""Bytes that wait for Kafka's acknowledgement; whoever publishes more waits."""

MAX_BATCH_BYTES = 1 << 20
"""Bytes of one partition in a request, before compression: two full envelopes."""

LINGER_MS = 5
STOP_SECONDS = 10.0
ABANDON_SECONDS = 3.0
LONGEST_LOOK_SECONDS = 10.0
"""Between two looks for a producer that hangs, so that it is given up before it counts as stuck."""

HEALTHY_AFTER_SECONDS = 30.0
"""A producer that worked for so long has its failures counted anew."""


class PublisherCounts(Struct):
    """Totals since the start, and what is waiting now. ``bytes`` are before compression."""

    records: int = 0
    bytes: int = 0
    replacements: int = 0
    """Producers given up and replaced."""
    pending_records: int = 0
    pending_bytes: int = 0
    latency_seconds: float = 0.0
    """Sum over the records of the time from handing in to acknowledgement."""
    unpublished: int = 0
    """Records still waiting when the publisher was stopped."""


class Pending(Struct, gc=False):
    """A record that Kafka has not acknowledged yet; ``since`` is by the publisher's clock."""

    topic: str
    partition: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    since: float
    timestamp_ms: int | None = None
    is_acknowledged: bool = False


class Publisher:
    """Publishes to topics of one Kafka from ``start`` to ``stop``.

    ``topics`` must exist before anything is sent; until then, and whenever Kafka is away, it waits
    with growing pauses and a line in the log every so often. A record unacknowledged for
    ``silent_seconds`` shows that the producer hangs.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        *,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        silent_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = PublisherCounts()
        self._settings = settings
        self._topics = tuple(topics)
        self._max_pending_bytes = max_pending_bytes
        self._silent_seconds = silent_seconds or 3 * settings.request_timeout_seconds
        self._clock = clock
        self._pending: deque[Pending] = deque()
        self._handed_in_records = 0
        self._unsent = 0
        """How many at the end of ``_pending`` the present producer was not given yet."""
        self._handed_in = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._is_connected = False
        self._began: float | None = None
        """When the present producer had started; None again once it is given up in order."""
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background; returns at once, whether Kafka is there or not."""
        self._work = asyncio.create_task(self._publish_for_ever(), name="publisher")

    async def publish(
        self,
        topic: str,
        partition: int,
        value: bytes,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Hand in a record; waits while too much is waiting already.

        ``timestamp_ms`` becomes the record's in Kafka; unset, that of its sending.
        Raises what ended the work in the background, such as a ConfigurationError for a certificate
        that cannot be read.
        """
        await self.wait_for_room()
        self._handed_in_records += 1
        self._pending.append(Pending(topic, partition, value, headers, self._clock(), timestamp_ms))
        self._unsent += 1
        self.counts.pending_records += 1
        self.counts.pending_bytes += len(value)
        if self.counts.pending_bytes >= self._max_pending_bytes:
            self._room.clear()
        self._empty.clear()
        self._handed_in.set()

    @property
    def delivered(self) -> int:
        """How many records, counted from the first one handed in, Kafka has without exception."""
        return self._handed_in_records - len(self._pending)

    @property
    def handed_in(self) -> int:
        """How many records were handed in since the start."""
        return self._handed_in_records

    @property
    def has_room(self) -> bool:
        """Whether the next ``publish`` does not wait."""
        return self._room.is_set()

    async def wait_for_room(self) -> None:
        """Wait until ``publish`` does not wait; raises as publish."""
        while not self._room.is_set():
            await self._unless_ended(self._room)

    @property
    def is_connected(self) -> bool:
        """Whether a producer is at work; not while Kafka is waited for."""
        return self._is_connected

    @property
    def overdue(self) -> int:
        """How many records wait for a producer that should have been given up for its silence.

        That is none while Kafka is waited for, however many wait and however long.
        """
        return len(self._pending) if self._silence() > self._silent_seconds else 0

    def waiting(self) -> list[Pending]:
        """Give what Kafka has not acknowledged, in order: all after the ``delivered`` first."""
        return list(self._pending)

    async def flush(self) -> None:
        """Wait until Kafka has all that was handed in, however long it takes; raises as publish."""
        while not self._empty.is_set():
            await self._unless_ended(self._empty)

    async def stop(self, seconds: float = STOP_SECONDS, *, tells: bool = True) -> None:
        """Give Kafka what is waiting, for ``seconds`` at most, and end.

        ``tells`` says in the log what did not reach Kafka, unless the caller keeps it.
        """
        work = self._work
        if work is None:
            return
        self._work = None
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - ABANDON_SECONDS)):
                while not self._empty.is_set() and not work.done():
                    empty = asyncio.ensure_future(self._empty.wait())
                    await asyncio.wait({empty, work}, return_when=asyncio.FIRST_COMPLETED)
                    empty.cancel()
        self.counts.unpublished = len(self._pending)
        if self._pending and tells:
            log.error("%d records did not reach Kafka", len(self._pending))
        work.cancel()
        await asyncio.wait({work}, timeout=ABANDON_SECONDS)
        if work.done() and not work.cancelled():
            work.exception()  # told to whoever published or flushed

    async def _unless_ended(self, event: asyncio.Event) -> None:
        work = self._work
        if work is None:
            raise RuntimeError("the publisher is not started, or has been stopped")
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({waiting, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not waiting.done():
                work.result()
        finally:
            waiting.cancel()

    async def _publish_for_ever(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            await wait_for_kafka(self._settings, self._topics)
            begin = self._clock()
            try:
                await self._publish_by_one_producer()
            except (KafkaError, OSError, TimeoutError) as error:
                if self._clock() - begin > HEALTHY_AFTER_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                self.counts.replacements += 1
                log.warning(
                    "publishing to Kafka failed (%s), %d records are waiting; again in %.1f s",
                    str(error) or type(error).__name__,
                    len(self._pending),
                    pause,
                )
            await asyncio.sleep(pause * (1 - random.random() / 2))  # noqa: S311 # only a jitter
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _publish_by_one_producer(self) -> None:
        """Start a producer, give it all that waits and all that comes; raise when it fails."""
        producer = AIOKafkaProducer(
            **connection_arguments(self._settings),
            enable_idempotence=True,
            acks="all",
            compression_type="zstd",
            linger_ms=LINGER_MS,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=2 * MAX_BATCH_BYTES,
        )
        pace(producer.client)
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                await producer.start()
            self._unsent = len(self._pending)
            self._began, self._is_connected = self._clock(), True
            sending = asyncio.create_task(self._send(producer, failure))
            watching = asyncio.create_task(self._watch())
            tasks = {sending, watching, asyncio.ensure_future(failure)}
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                sending.cancel()
                watching.cancel()
        finally:
            self._is_connected = False
            if failure.done():
                failure.exception()
            try:
                await _abandon(producer)
            finally:
                self._began = None

    async def _send(self, producer: AIOKafkaProducer, failure: asyncio.Future[None]) -> None:
        while True:
            while self._unsent:
                record = self._pending[-self._unsent]
                if record.is_acknowledged:
                    self._unsent -= 1
                    continue
                # At most for the request timeout, while the partition's batch is full.
                acknowledged = await producer.send(
                    record.topic,
                    record.value,
                    partition=record.partition,
                    headers=list(record.headers),
                    timestamp_ms=record.timestamp_ms,
                )
                self._unsent -= 1
                acknowledged.add_done_callback(
                    lambda done, record=record: self._on_done(done, record, failure)
                )
            self._handed_in.clear()
            await self._handed_in.wait()

    def _on_done(
        self, done: asyncio.Future[object], record: Pending, failure: asyncio.Future[None]
    ) -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            if not failure.done():
                failure.set_exception(error or ProducerClosed())
            return
        if record.is_acknowledged:
            return
        record.is_acknowledged = True
        counts = self.counts
        counts.records += 1
        counts.bytes += len(record.value)
        counts.latency_seconds += self._clock() - record.since
        pending = self._pending
        while pending and pending[0].is_acknowledged:
            counts.pending_records -= 1
            counts.pending_bytes -= len(pending.popleft().value)
        if counts.pending_bytes < self._max_pending_bytes:
            self._room.set()
        if not pending:
            self._empty.set()

    async def _watch(self) -> None:
        """Raise TimeoutError when the oldest record has been under way for too long."""
        while True:
            await asyncio.sleep(min(self._silent_seconds / 10, LONGEST_LOOK_SECONDS))
            silence = self._silence()
            if silence > self._silent_seconds:
                raise TimeoutError(f"no acknowledgement for {silence:.0f} s")

    def _silence(self) -> float:
        """Seconds for which the present producer has had the oldest record; 0 without either."""
        if self._began is None or not self._pending:
            return 0.0
        return self._clock() - max(self._began, self._pending[0].since)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Stop a producer without waiting for what it has not delivered, which is kept by us."""
    # There is no public way: stop() would first deliver everything, without end if Kafka is away.
    # Without its connections what is under way fails at once, and the sender can end.
    producer._closed = True
    ending = asyncio.create_task(producer._sender.close())
    try:
        async with asyncio.timeout(ABANDON_SECONDS):
            await producer.client.close()
            await ending
    except (KafkaError, OSError, TimeoutError) as error:
        log.debug("a producer did not stop in order: %s", error)
