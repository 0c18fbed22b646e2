"""Reads the closed windows of a stretch of time from their topic: committed ones, by time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from msgspec import Struct

from hubblewatch.flow.timestamp import TimestampError
from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.stopping import stop_in_time
from hubblewatch.kafka.topics import topic_names
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind, explain
from hubblewatch.kafka.window_merge import WindowMerge
from hubblewatch.settings import KafkaSettings
from hubblewatch.window.closed import WindowRecord
from hubblewatch.window.recorded import decode_window

CONNECT_SECONDS = 30.0
STALL_SECONDS = 90.0
"""Longer than a dead worker's transaction stays open, which holds back what comes after it."""

_POLL_MS = 500
_POLL_RECORDS = 2_000


class TimeRange(Struct, frozen=True):
    """Windows that begin in ``[since, until)``, epoch seconds; None leaves that side open."""

    since: int | None = None
    until: int | None = None

    def holds(self, second: int) -> bool:
        """Tell whether a window that begins then is wanted."""
        return (self.since is None or second >= self.since) and (
            self.until is None or second < self.until
        )


class RangeProgress(Struct):
    """How far the reading is: ``offsets`` of ``offsets_total``, and what came of it.

    ``broken`` counts records that are no window, ``late`` windows that came out of order.
    """

    offsets: int = 0
    offsets_total: int = 0
    windows: int = 0
    broken: int = 0
    late: int = 0


async def read_windows(
    settings: KafkaSettings,
    wanted: TimeRange,
    take: Callable[[list[WindowRecord]], None],
    tell: Callable[[RangeProgress], None] = lambda _: None,
    *,
    stall_seconds: float = STALL_SECONDS,
) -> RangeProgress:
    """Hand over the windows of all partitions, one stretch of time after the other.

    Read is what was committed when this began, of memory as in WindowMerge. Raises
    KafkaTroubleError, also when nothing comes for ``stall_seconds``, and NewerWindowError.
    """
    topic = topic_names(settings).windows
    consumer = AIOKafkaConsumer(
        **connection_arguments(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await consumer.start()
            begins, ends = await _places(consumer, topic, wanted)
        return await _Range(consumer, begins, ends, wanted, take, tell).read(stall_seconds)
    except TimeoutError as error:
        raise KafkaTroubleError(
            TroubleKind.UNREACHABLE,
            f"Kafka gave nothing of {topic} for {stall_seconds:.0f} s",
            "see whether its brokers are well, and whether a worker's transaction hangs",
        ) from error
    except (OSError, KafkaError) as error:
        raise explain(error, settings, topic) from error
    finally:
        await stop_in_time(consumer.stop())


Offsets = dict[TopicPartition, int]


async def _places(
    consumer: AIOKafkaConsumer, topic: str, wanted: TimeRange
) -> tuple[Offsets, Offsets]:
    """Give the first and the end offset of each partition, and assign them all."""
    await consumer._client.force_metadata_update()
    numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic)
    if not numbers:
        raise UnknownTopicOrPartitionError(f"the topic {topic} does not exist")
    places = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(places)
    begins = await consumer.beginning_offsets(places)
    ends = await consumer.end_offsets(places)
    if wanted.since is not None:
        # A window is written after it ended, so records older than its begin do not hold it.
        found = await consumer.offsets_for_times(dict.fromkeys(places, wanted.since * 1000))
        for place, at in found.items():
            begins[place] = ends[place] if at is None else max(begins[place], at.offset)
    for place in places:
        consumer.seek(place, begins[place])
    return begins, ends


class _Range:
    """One reading under way."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        begins: Offsets,
        ends: Offsets,
        wanted: TimeRange,
        take: Callable[[list[WindowRecord]], None],
        tell: Callable[[RangeProgress], None],
    ) -> None:
        self._consumer = consumer
        self._begins = begins
        self._ends = ends
        self._wanted = wanted
        self._take = take
        self._tell = tell
        self._merge = WindowMerge({place.partition for place in begins})
        total = sum(max(0, ends[place] - begins[place]) for place in begins)
        self._progress = RangeProgress(offsets_total=total)

    async def read(self, stall_seconds: float) -> RangeProgress:
        clock = asyncio.get_running_loop().time
        moved_at, at = clock(), -1
        while True:
            await self._finish_ended()
            for windows in self._merge.ready():
                self._progress.windows += len(windows)
                self._take(windows)
            self._progress.late = self._merge.late
            self._tell(self._progress)
            if not self._merge.pending:
                return self._progress
            if self._progress.offsets > at:
                moved_at, at = clock(), self._progress.offsets
            elif clock() > moved_at + stall_seconds:
                raise TimeoutError
            ahead = self._merge.ahead
            reading = [p for p in self._begins if p.partition in self._merge.pending - ahead]
            polled = await self._consumer.getmany(
                *reading, timeout_ms=_POLL_MS, max_records=_POLL_RECORDS
            )
            for place, records in polled.items():
                for record in records:
                    self._count(place, record)

    async def _finish_ended(self) -> None:
        """Finish partitions that are at their end, transaction marks behind the last record too."""
        done = 0
        for place, end in self._ends.items():
            at = await self._consumer.position(place)
            done += max(0, min(at, end) - self._begins[place])
            if at >= end:
                self._merge.finish(place.partition)
        self._progress.offsets = done

    def _count(self, place: TopicPartition, record: ConsumerRecord[bytes, bytes]) -> None:
        if record.offset >= self._ends[place] or place.partition not in self._merge.pending:
            return
        for line in (record.value or b"").splitlines():
            try:
                window = decode_window(line)
                start = self._merge.start_of(window)
            except (msgspec.MsgspecError, TimestampError):
                self._progress.broken += 1
                continue
            if self._wanted.holds(start):
                self._merge.take(place.partition, window)
            else:
                self._merge.pass_over(place.partition, start)
