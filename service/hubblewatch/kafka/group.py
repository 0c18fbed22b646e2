"""How far a consumer group is behind in a topic, and whether anybody is in it."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoError, for_code
from msgspec import Struct

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.stopping import stop_in_time
from hubblewatch.kafka.trouble import explain
from hubblewatch.settings import KafkaSettings

AGE_SECONDS = 4.0
"""How long to wait for the records whose age is told."""

COORDINATOR_SECONDS = 8.0
"""How long to wait for a coordinator that is being chosen."""

_PAUSE_SECONDS = 0.25


class PartitionLag(Struct, frozen=True):
    """Offsets of one partition; ``committed`` is None where the group has none."""

    partition: int
    begin: int
    end: int
    committed: int | None
    timestamp_ms: int | None = None
    """When the first record that is not done with was sent; None if there is none."""

    @property
    def lag(self) -> int:
        """Records that are not done with; those of windows still open are among them."""
        return max(0, self.end - max(self.begin, self.committed or 0))


class GroupLag(Struct, frozen=True):
    """A consumer group: its state in Kafka's own words, its members, and its partitions."""

    state: str
    members: int
    partitions: tuple[PartitionLag, ...]


async def group_lag(settings: KafkaSettings, group: str, topic: str, partitions: int) -> GroupLag:
    """Give the lag of ``group`` in ``topic``; joins no group and commits nothing.

    Raises KafkaTroubleError. The caller bounds the time.
    """
    try:
        state, members, committed = await _group(settings, group)
        places = [TopicPartition(topic, number) for number in range(partitions)]
        return GroupLag(state, members, await _lags(settings, places, committed))
    except (OSError, KafkaError) as error:
        raise explain(error, settings, f"{group} at {topic}") from error


async def _group(settings: KafkaSettings, group: str) -> tuple[str, int, dict[TopicPartition, int]]:
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    try:
        await admin.start()
        return await _described(admin, group)
    finally:
        await stop_in_time(admin.close())


async def _described(
    admin: AIOKafkaAdminClient, group: str
) -> tuple[str, int, dict[TopicPartition, int]]:
    """Ask the group's coordinator; a young cluster makes its topic for that only when asked."""
    clock = asyncio.get_running_loop().time
    until = clock() + COORDINATOR_SECONDS
    while True:
        try:
            return await _ask(admin, group)
        except KafkaError as error:
            if not error.retriable or clock() >= until:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ask(
    admin: AIOKafkaAdminClient, group: str
) -> tuple[str, int, dict[TopicPartition, int]]:
    (answer,) = await admin.describe_consumer_groups([group])
    code, _, state, _, _, members, *_ = answer.groups[0]
    kind = for_code(code)
    if kind is not NoError:
        raise kind
    offsets = await admin.list_consumer_group_offsets(group)
    return (
        state,
        len(members),
        {place: found.offset for place, found in offsets.items() if found.offset >= 0},
    )


async def _lags(
    settings: KafkaSettings, places: list[TopicPartition], committed: dict[TopicPartition, int]
) -> tuple[PartitionLag, ...]:
    consumer = AIOKafkaConsumer(
        **connection_arguments(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        consumer.assign(places)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        lags = {
            place: PartitionLag(place.partition, begins[place], ends[place], committed.get(place))
            for place in places
        }
        sent = await _first_times(consumer, lags)
        return tuple(
            PartitionLag(lag.partition, lag.begin, lag.end, lag.committed, sent.get(place))
            for place, lag in lags.items()
        )
    finally:
        await stop_in_time(consumer.stop())


async def _first_times(
    consumer: AIOKafkaConsumer, lags: dict[TopicPartition, PartitionLag]
) -> dict[TopicPartition, int]:
    """Give the times of the first records that are not done with, of those that come in time."""
    behind = {place: lag for place, lag in lags.items() if lag.lag}
    for place, lag in behind.items():
        consumer.seek(place, max(lag.begin, lag.committed or 0))
    done = [place for place in lags if place not in behind]
    if done:
        consumer.pause(*done)
    sent: dict[TopicPartition, int] = {}
    clock = asyncio.get_running_loop().time
    until = clock() + AGE_SECONDS
    while len(sent) < len(behind) and clock() < until:
        for place, records in (await consumer.getmany(timeout_ms=200, max_records=1)).items():
            sent.setdefault(place, records[0].timestamp)
            consumer.pause(place)
    return sent
