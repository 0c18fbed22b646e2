"""What a ledger says of a step that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    CoordinatorNotAvailableError,
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from hubblewatch.kafka.topics import topic_names
from hubblewatch.settings import KafkaSettings
from hubblewatch.worker.errors import FencedError, LedgerError
from hubblewatch.worker.ledger import Ledger, LedgerSettings
from hubblewatch.worker.partition import Commit


def ledger(begin: Any) -> Ledger:
    """A ledger whose producer begins no transaction."""

    class Producer:
        async def begin_transaction(self) -> None:
            await begin()

    settings = LedgerSettings("group", topic_names(KafkaSettings()), dict, 0.05)
    made = Ledger(3, settings)
    producer: Any = Producer()
    made._producer = producer
    return made


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (MessageSizeTooLargeError(), "hubblewatch topics --apply"),
        (TopicAuthorizationFailedError(), "ACLs"),
        (CoordinatorNotAvailableError(), "hubblewatch doctor"),
    ],
)
async def test_what_kafka_refuses_is_told_with_what_to_do(error: KafkaError, remedy: str) -> None:
    async def begin() -> None:
        raise error

    with pytest.raises(LedgerError, match=f"partition 3: could not commit: .*; .*{remedy}"):
        await ledger(begin).commit(Commit([], [], 7))


async def test_a_coordinator_that_never_answers_is_told_as_one() -> None:
    with pytest.raises(LedgerError, match=r"within 0.05 s; .* coordinates"):
        await ledger(asyncio.Event().wait).commit(Commit([], [], 7))


async def test_a_fenced_commit_is_told_apart() -> None:
    async def begin() -> None:
        raise InvalidProducerEpoch

    with pytest.raises(FencedError, match="another worker has it now"):
        await ledger(begin).commit(Commit([], [], 7))
