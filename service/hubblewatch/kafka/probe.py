"""Asks Kafka whether it is there, and waits until it is."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from hubblewatch.kafka.connection import security_arguments
from hubblewatch.kafka.topics import FoundTopic
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind, explain
from hubblewatch.settings import KafkaSettings

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
LOG_EVERY_SECONDS = 30.0
CLOSE_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class Cluster:
    """What a broker told: the brokers' addresses, and those of the asked topics that exist."""

    brokers: tuple[str, ...]
    topics: dict[str, FoundTopic] = field(default_factory=dict)


async def probe(settings: KafkaSettings, topics: Sequence[str] = ()) -> Cluster:
    """Return what the first bootstrap server that answers says about the cluster and ``topics``.

    One of the brokers it names is connected to as well: a cluster that advertises addresses which
    cannot be reached from here is of no use. Nothing is created. Raises KafkaTroubleError, of
    several servers' troubles the most telling, and ConfigurationError for files of the settings
    that cannot be used.
    """
    arguments = security_arguments(settings.security)
    troubles = []
    for server in settings.servers:
        try:
            cluster = await _ask(settings, arguments, server, topics)
            if server not in cluster.brokers:
                await _reach_one(settings, arguments, cluster.brokers)
        except KafkaTroubleError as trouble:
            troubles.append(trouble)
        else:
            return cluster
    raise _most_telling(troubles)


async def wait_for_kafka(
    settings: KafkaSettings,
    topics: Sequence[str] = (),
    *,
    give_up_after_seconds: float | None = None,
    on_trouble: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> Cluster:
    """Return as ``probe`` does, once Kafka answers and all of ``topics`` exist.

    Waits without end by default, whatever the trouble: users, rights and topics may be made after
    this part has started. Pauses double from half a second to 15 s, each shortened by up to half
    (``jitter``, 0 to 1). The first trouble, a new one, and every 30 s the same one are logged; each
    is told to ``on_trouble``.
    Raises ConfigurationError at once, and KafkaTroubleError after ``give_up_after_seconds``.
    """
    begin = clock()
    pause = FIRST_PAUSE_SECONDS
    logged: KafkaTroubleError | None = None
    logged_at = begin
    while True:
        try:
            cluster = await probe(settings, topics)
            require_topics(cluster, topics)
        except KafkaTroubleError as trouble:
            now = clock()
            on_trouble()
            if give_up_after_seconds is not None and now - begin + pause > give_up_after_seconds:
                raise
            if (
                logged is None
                or str(logged) != str(trouble)
                or now - logged_at >= LOG_EVERY_SECONDS
            ):
                log.warning("waiting for Kafka since %.0f s: %s", now - begin, trouble)
                logged, logged_at = trouble, now
        else:
            if logged is not None:
                log.info("Kafka is there after %.0f s", clock() - begin)
            return cluster
        await sleep(pause * (1 - jitter() / 2))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def require_topics(cluster: Cluster, topics: Sequence[str]) -> None:
    """Raise KafkaTroubleError if one of ``topics`` is not in ``cluster``."""
    missing = [topic for topic in topics if topic not in cluster.topics]
    if missing:
        several = len(missing) > 1
        raise KafkaTroubleError(
            TroubleKind.TOPIC_MISSING,
            f"the topic{'s' if several else ''} {', '.join(missing)} "
            f"{'do' if several else 'does'} not exist",
            f"create {'them' if several else 'it'} by: hubblewatch topics --apply",
        )


@asynccontextmanager
async def _connected(
    settings: KafkaSettings, arguments: dict[str, Any], address: str
) -> AsyncIterator[Any]:
    """Connect to one broker; what goes wrong there comes out as KafkaTroubleError.

    aiokafka's clients only log why they could not bootstrap; the connection below them raises it.
    """
    host, _, port = address.rpartition(":")
    try:
        connection = await create_conn(
            host.strip("[]"),
            int(port),
            client_id=settings.client_id,
            request_timeout_ms=round(settings.request_timeout_seconds * 1000),
            **arguments,
        )
        try:
            yield connection
        finally:
            # Not for long: a frozen broker does not answer the end of a TLS connection.
            await asyncio.wait({connection.close()}, timeout=CLOSE_TIMEOUT_SECONDS)
    except (OSError, KafkaError) as error:
        raise explain(error, settings, address) from error


async def _ask(
    settings: KafkaSettings, arguments: dict[str, Any], server: str, topics: Sequence[str]
) -> Cluster:
    async with _connected(settings, arguments, server) as connection:
        answer = await connection.send(MetadataRequest(list(topics), False))
    told = answer.to_object()
    return Cluster(
        brokers=tuple(f"{broker['host']}:{broker['port']}" for broker in told["brokers"]),
        topics={
            topic["topic"]: _found(topic)
            for topic in told["topics"]
            if _exists(settings, topic["topic"], topic["error_code"])
        },
    )


def _exists(settings: KafkaSettings, topic: str, error_code: int) -> bool:
    kind = for_code(error_code)
    if kind is UnknownTopicOrPartitionError:
        return False
    # A partition without a leader is no reason to call the topic missing.
    if kind is NoError or kind.retriable:
        return True
    raise explain(kind(), settings, topic)


def _found(topic: dict[str, Any]) -> FoundTopic:
    copies = [len(partition["replicas"]) for partition in topic["partitions"]]
    return FoundTopic(topic["topic"], len(copies), min(copies, default=0))


async def _reach_one(
    settings: KafkaSettings, arguments: dict[str, Any], brokers: Sequence[str]
) -> None:
    troubles = []
    for broker in brokers:
        try:
            async with _connected(settings, arguments, broker):
                return
        except KafkaTroubleError as trouble:
            troubles.append(trouble)
    if not troubles:
        raise KafkaTroubleError(
            TroubleKind.UNREACHABLE, "the cluster has no broker yet", "wait for its start"
        )
    worst = _most_telling(troubles)
    raise KafkaTroubleError(
        worst.kind,
        f"the bootstrap server answers, but not the brokers it names: {worst.reason}",
        "make advertised.listeners of the brokers an address that this machine reaches"
        if worst.kind is TroubleKind.UNREACHABLE
        else worst.remedy,
    )


def _most_telling(troubles: Sequence[KafkaTroubleError]) -> KafkaTroubleError:
    """Return the first trouble that is more than an absence, which another server may explain."""
    for trouble in troubles:
        if trouble.kind is not TroubleKind.UNREACHABLE:
            return trouble
    return troubles[0]
