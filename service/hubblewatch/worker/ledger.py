"""The transactional side of one partition: what was committed, and the next commit.

A partition has one transactional id, so that whoever opens the ledger last fences all former
owners: a zombie's commit fails instead of saying things twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata
from msgspec import Struct

from hubblewatch.alert.record import encode_alert
from hubblewatch.errors import HubblewatchError
from hubblewatch.state import Record
from hubblewatch.worker.partition import Commit

log = logging.getLogger(__name__)

T = TypeVar("T")

STEP_TIMEOUT_SECONDS = 30.0
"""Bound on each step; one that takes longer gives the partition up, to be restored anew."""

TRANSACTION_TIMEOUT_MS = 60_000
POLL_MS = 200
_encode = msgspec.json.Encoder().encode


class LedgerError(HubblewatchError):
    """A commit or a restore failed; nothing of it is visible, the partition must be restored."""


class Fenced(LedgerError):
    """Another worker owns the partition now."""


class LedgerTopics(Struct, frozen=True):
    """Names of the topics that a partition reads and writes."""

    flows: str
    windows: str
    alerts: str
    state: str


class Ledger:
    """Opens, restores and commits one partition. Not safe for concurrent use."""

    def __init__(
        self, partition: int, group: str, topics: LedgerTopics, arguments: Mapping[str, Any]
    ) -> None:
        self.partition = partition
        self._group = group
        self._topics = topics
        self._arguments = dict(arguments)
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> list[Record]:
        """Fence the former owner and give the partition's committed state, oldest record first.

        Raises LedgerError when Kafka does not answer in time.
        """
        # 1. Initialising the transactional id ends the former owner's open transaction and makes
        #    its later steps fail.
        producer = AIOKafkaProducer(
            **self._arguments,
            transactional_id=f"{self._group}-{self._topics.flows}-{self.partition}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            compression_type="zstd",
            max_request_size=4 << 20,
        )
        self._producer = producer
        await self._step("start the transactional producer", producer.start())
        # 2. Only then is the state final. Committed records only, up to the end seen now.
        return await self._step("read the state back", self._read_state())

    async def commit(self, commit: Commit) -> None:
        """Write windows, alerts, state and the safe offset in one transaction.

        Raises Fenced or LedgerError; then nothing of it was written.
        """
        producer = self._producer
        if producer is None:
            raise LedgerError(f"partition {self.partition} is not open")
        try:
            await self._step("begin the transaction", producer.begin_transaction())
            await self._step("write the closing", self._send(producer, commit))
            offsets = {
                TopicPartition(self._topics.flows, self.partition): OffsetAndMetadata(
                    commit.offset, ""
                )
            }
            await self._step(
                "add the offset", producer.send_offsets_to_transaction(offsets, self._group)
            )
            await self._step("commit", producer.commit_transaction())
        except Fenced:
            raise
        except LedgerError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop the producer; an open transaction is left to be aborted by its successor."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await asyncio.wait_for(producer.stop(), STEP_TIMEOUT_SECONDS / 3)
        except (KafkaError, TimeoutError, asyncio.CancelledError, RuntimeError) as error:
            log.warning("partition %d: the producer did not stop: %s", self.partition, error)

    async def _send(self, producer: AIOKafkaProducer, commit: Commit) -> None:
        topics, number = self._topics, self.partition
        # One send after the other: their order is the order in the log, also after a retry.
        records: list[tuple[str, bytes, bytes | None, int | None]] = []
        for closed in commit.closed:
            for window in closed.closing.windows:
                key = window.subject.namespace.encode("utf-8", "surrogatepass")
                records.append((topics.windows, key, _encode(window.record()), None))
            records += [
                (topics.alerts, alert.incident.encode(), encode_alert(alert), None)
                for alert in closed.alerts
            ]
        records += [(topics.state, key, value, number) for key, value in commit.state]
        written = [
            await producer.send(topic, value, key=key, partition=partition)
            for topic, key, value, partition in records
        ]
        await asyncio.gather(*written)

    async def _read_state(self) -> list[Record]:
        consumer = AIOKafkaConsumer(
            **self._arguments,
            isolation_level="read_committed",
            enable_auto_commit=False,
            # With the default, seek_to_beginning can lose a race and read nothing.
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            state = TopicPartition(self._topics.state, self.partition)
            consumer.assign([state])
            end = (await consumer.end_offsets([state]))[state]
            await consumer.seek_to_beginning(state)
            latest: dict[bytes, bytes | None] = {}
            while await consumer.position(state) < end:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        if record.key is not None:
                            latest[record.key] = record.value
            return [(key, value) for key, value in latest.items() if value is not None]
        finally:
            await consumer.stop()

    async def _step(self, name: str, work: Awaitable[T]) -> T:
        try:
            return await asyncio.wait_for(work, STEP_TIMEOUT_SECONDS)
        except ProducerFenced as error:
            raise Fenced(f"partition {self.partition}: fenced by another worker") from error
        except TimeoutError as error:
            raise LedgerError(
                f"partition {self.partition}: could not {name} within {STEP_TIMEOUT_SECONDS:.0f} s"
            ) from error
        except KafkaError as error:
            raise LedgerError(f"partition {self.partition}: could not {name}: {error!r}") from error
