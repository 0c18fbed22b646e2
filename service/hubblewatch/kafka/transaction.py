"""Tries whether transactions work here, without writing anything."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.pacing import pace
from hubblewatch.kafka.stopping import stop_in_time
from hubblewatch.kafka.trouble import explain
from hubblewatch.settings import KafkaSettings


async def try_transaction(settings: KafkaSettings, transactional_id: str, seconds: float) -> None:
    """Open a transactional producer and commit a transaction that holds nothing.

    Raises KafkaTroubleError where the coordinator does not answer in time, or refuses the id.
    """
    producer = AIOKafkaProducer(**connection_arguments(settings), transactional_id=transactional_id)
    pace(producer.client)
    try:
        async with asyncio.timeout(seconds):
            await producer.start()
            await producer.begin_transaction()
            await producer.commit_transaction()
    except (OSError, KafkaError) as error:
        raise explain(error, settings, transactional_id) from error
    finally:
        await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer, and the sender that would go on trying without end."""
    await stop_in_time(producer.stop())
    sender = producer._sender.sender_task
    if sender is not None and not sender.done():
        sender.cancel()
        await stop_in_time(producer.client.close())
