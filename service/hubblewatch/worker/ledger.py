"""The transactional side of one partition: what was committed, and the next commit.

A partition has one transactional id, so that whoever opens the ledger last fences all former
owners: a zombie's commit fails instead of saying things twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.structs import OffsetAndMetadata
from msgspec import Struct

from hubblewatch.alert.record import encode_alert
from hubblewatch.kafka.pacing import pace
from hubblewatch.kafka.topics import TopicNames
from hubblewatch.state import Record
from hubblewatch.worker.errors import FencedError, LedgerError
from hubblewatch.worker.partition import Commit

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_TIMEOUT_SECONDS = 3.0
"""A producer whose broker is away does not stop by itself."""

MAX_REQUEST_BYTES = 4 << 20
POLL_MS = 200
_NOT_AUTHORIZED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
_encode = msgspec.json.Encoder().encode


class LedgerSettings(Struct, frozen=True):
    """What all ledgers of a worker have in common.

    ``arguments`` gives those of aiokafka's clients; it is asked at each opening, since certificates
    and passwords change. ``timeout_seconds`` bounds an opening and a commit each.
    """

    group: str
    topics: TopicNames
    arguments: Callable[[], Mapping[str, Any]]
    timeout_seconds: float = 30.0


class Opened(Struct, frozen=True):
    """What was found: the partition's state, and the offsets that its flows have in the log."""

    records: list[Record]
    begin: int = 0
    end: int = 0


class Ledger:
    """Opens, restores and commits one partition. Not safe for concurrent use."""

    def __init__(self, partition: int, settings: LedgerSettings) -> None:
        self.partition = partition
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> Opened:
        """Fence the former owner and give the partition's committed state.

        Raises LedgerError when Kafka does not answer in time.
        """
        settings = self._settings
        arguments = dict(settings.arguments())
        # 1. Initialising the transactional id ends the former owner's open transaction and makes
        #    its later steps fail. Kafka answers only when a commit under way is complete.
        producer = self._producer = AIOKafkaProducer(
            **arguments,
            transactional_id=f"{settings.group}-{settings.topics.flows}-{self.partition}",
            transaction_timeout_ms=round(settings.timeout_seconds * 2_000),
            compression_type="zstd",
            max_request_size=MAX_REQUEST_BYTES,
        )
        pace(producer.client)
        await self._bounded("start the transactional producer", producer.start())
        # 2. Only then is the state final.
        return await self._bounded("read the state back", self._read_state(arguments))

    async def commit(self, commit: Commit) -> None:
        """Write windows, alerts, state and the safe offset in one transaction.

        Raises LedgerError, after which the ledger is of no more use.
        """
        producer = self._producer
        if producer is None:
            raise LedgerError(f"partition {self.partition} is not open")
        await self._bounded("commit", self._commit(producer, commit))

    async def close(self) -> None:
        """Stop the producer; an open transaction is left to be aborted by its successor."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        stopping = asyncio.ensure_future(producer.stop())
        try:
            done, _ = await asyncio.wait({stopping}, timeout=CLOSE_TIMEOUT_SECONDS)
            if not done:
                log.warning(
                    "partition %d: the producer is left behind, Kafka does not answer",
                    self.partition,
                )
                await _abandon(producer, stopping)
            elif stopping.exception() is not None:
                log.warning(
                    "partition %d: the producer did not stop: %r",
                    self.partition,
                    stopping.exception(),
                )
        finally:
            stopping.cancel()

    async def _commit(self, producer: AIOKafkaProducer, commit: Commit) -> None:
        topics = self._settings.topics
        await self._step("begin", producer.begin_transaction())
        await self._step("write", self._write(producer, commit))
        flows = TopicPartition(topics.flows, self.partition)
        offsets = {flows: OffsetAndMetadata(commit.offset, "")}
        await self._step(
            "offset", producer.send_offsets_to_transaction(offsets, self._settings.group)
        )
        await self._step("end", producer.commit_transaction())

    async def _step(self, _name: str, work: Coroutine[Any, Any, T]) -> T:
        """One step of a transaction; tests take their places here."""
        return await work

    async def _write(self, producer: AIOKafkaProducer, commit: Commit) -> None:
        topics, number = self._settings.topics, self.partition
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
        for outcome in await asyncio.gather(*written, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _read_state(self, arguments: Mapping[str, Any]) -> Opened:
        topics = self._settings.topics
        consumer = AIOKafkaConsumer(
            **arguments,
            # Committed records only, up to the end seen now.
            isolation_level="read_committed",
            enable_auto_commit=False,
            # With the default, seek_to_beginning can lose a race and read nothing.
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            state = TopicPartition(topics.state, self.partition)
            flows = TopicPartition(topics.flows, self.partition)
            consumer.assign([state])
            end = (await consumer.end_offsets([state]))[state]
            await consumer.seek_to_beginning(state)
            latest: dict[bytes, bytes | None] = {}
            while await consumer.position(state) < end:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        if record.key is not None:
                            latest[record.key] = record.value
            return Opened(
                [(key, value) for key, value in latest.items() if value is not None],
                (await consumer.beginning_offsets([flows]))[flows],
                (await consumer.end_offsets([flows]))[flows],
            )
        finally:
            await asyncio.wait(
                {asyncio.ensure_future(consumer.stop())}, timeout=CLOSE_TIMEOUT_SECONDS
            )

    async def _bounded(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        seconds = self._settings.timeout_seconds
        try:
            return await asyncio.wait_for(work, seconds)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise FencedError(f"partition {self.partition}: another worker has it now") from error
        except TimeoutError as error:
            raise LedgerError(
                f"partition {self.partition}: could not {what} within {seconds:g} s; see whether "
                "all brokers are well: one of them coordinates the group's transactions"
            ) from error
        except KafkaError as error:
            raise LedgerError(
                f"partition {self.partition}: could not {what}: {error!r}; {_remedy(error)}"
            ) from error


def _remedy(error: KafkaError) -> str:
    if isinstance(error, MessageSizeTooLargeError):
        return "raise max.message.bytes of the topics: hubblewatch topics --apply"
    if isinstance(error, _NOT_AUTHORIZED):
        return "grant the worker's user in Kafka's ACLs what it needs"
    return "hubblewatch doctor with the same settings tries each step"


async def _abandon(producer: AIOKafkaProducer, stopping: asyncio.Future[None]) -> None:
    """End what a producer that cannot stop leaves running: its sender would retry for ever."""
    stopping.cancel()
    leftovers = [producer._sender.sender_task] if producer._sender.sender_task else []
    for task in leftovers:
        task.cancel()
    await asyncio.wait(
        [stopping, *leftovers, asyncio.ensure_future(producer.client.close())], timeout=1.0
    )
