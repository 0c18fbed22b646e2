"""Reads the last committed records of partitions: so many, and so long, and no more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.stopping import stop_in_time
from hubblewatch.kafka.trouble import explain
from hubblewatch.settings import KafkaSettings


async def read_tail(
    settings: KafkaSettings,
    topic: str,
    partitions: Sequence[int],
    wanted: Callable[[bytes, bytes], bool],
    *,
    back: int,
    limit: int,
    seconds: float,
) -> list[bytes]:
    """Give the values of the last ``limit`` records that ``wanted`` (of key and value) says yes to.

    Of each partition the last ``back`` offsets are read, for ``seconds`` in all. Order holds within
    a partition. Raises KafkaTroubleError; the caller bounds the time that connecting takes.
    """
    consumer = AIOKafkaConsumer(
        **connection_arguments(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    found: deque[bytes] = deque(maxlen=limit)
    clock = asyncio.get_running_loop().time
    try:
        await consumer.start()
        places = [TopicPartition(topic, number) for number in partitions]
        consumer.assign(places)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        pending = set()
        for place in places:
            begin = max(begins[place], ends[place] - back)
            consumer.seek(place, begin)
            if begin < ends[place]:
                pending.add(place)
        until = clock() + seconds
        while pending and clock() < until:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(
                    record.value
                    for record in records
                    if record.value is not None and wanted(record.key or b"", record.value)
                )
            pending = {place for place in pending if await consumer.position(place) < ends[place]}
        return list(found)
    except (OSError, KafkaError) as error:
        raise explain(error, settings, topic) from error
    finally:
        await stop_in_time(consumer.stop())
