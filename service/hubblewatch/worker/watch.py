"""Watches from beside the stream how much of each partition waits in Kafka."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.pacing import pace
from hubblewatch.kafka.probe import probe
from hubblewatch.kafka.trouble import KafkaTroubleError
from hubblewatch.settings import KafkaSettings
from hubblewatch.worker.app import FlowApp
from hubblewatch.worker.errors import LedgerError
from hubblewatch.worker.observer import WorkerObserver
from hubblewatch.worker.partitions import Partitions

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 5.0
SHORT_LOOKS = 3
"""So often in a row a partition must end before what was counted of it: a new leader may be behind
for a moment."""

GIVE_UP_AFTER_SECONDS = 20.0
"""Without an answer from Kafka; then its clients are closed, and one probe waits in their place."""


class LagWatch:
    """Asks Kafka for the ends of the partitions, once in five seconds, with a client of its own.

    Not the stream's consumer: one that stalls remembers no lag, and questions to it take the turns
    of its fetches.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, partitions: Partitions, observer: WorkerObserver
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._partitions = partitions
        self._observer = observer
        self._client: AIOKafkaConsumer | None = None
        self._lags: dict[int, int] = {}
        self._short: dict[int, int] = {}
        self._asked_at = self._answered_at = monotonic()

    def is_read(self, number: int) -> bool:
        """Whether, when last asked, nothing of a partition waited."""
        is_fresh = monotonic() - self._answered_at < 3 * EVERY_SECONDS
        return is_fresh and self._lags.get(number) == 0

    async def look(self, app: FlowApp) -> None:
        """Ask, if it is time again.

        Raises LedgerError when Kafka has been away for long, or has lost what was counted: then new
        records would be taken for ones that were, and the next run looks where to begin.
        """
        if monotonic() - self._asked_at < EVERY_SECONDS:
            return
        self._asked_at = monotonic()
        numbers = sorted(self._partitions.assigned)
        # Before the question: what was counted then lies before any end that is told.
        counted = {number: self._partitions.next_offset(number) for number in numbers}
        try:
            ends = await asyncio.wait_for(self._ends(numbers), ANSWER_TIMEOUT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            await self.close()
            await self._explain(error)
            return
        self._answered_at = monotonic()
        self._check_ends(ends, counted)
        self._lags = self._waiting(app, ends)
        self._observer.lags(self._lags)

    async def close(self) -> None:
        """Close the client; it is made anew when it is needed."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.wait({asyncio.ensure_future(client.stop())}, timeout=1.0)

    async def _ends(self, numbers: list[int]) -> dict[int, int]:
        if self._client is None:
            self._client = AIOKafkaConsumer(**connection_arguments(self._settings))
            pace(self._client._client)
            await self._client.start()
        # One by one: a partition without a leader has no answer, and must not silence the others.
        asked = [TopicPartition(self._topic, number) for number in numbers]
        outcomes: list[Any] = await asyncio.gather(
            *(asyncio.wait_for(self._end(one), ANSWER_TIMEOUT_SECONDS - 1) for one in asked),
            return_exceptions=True,
        )
        ends = {
            number: outcome
            for number, outcome in zip(numbers, outcomes, strict=True)
            if isinstance(outcome, int)
        }
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures and not ends:
            raise failures[0]
        return ends

    async def _end(self, partition: TopicPartition) -> int:
        assert self._client is not None
        return int((await self._client.end_offsets([partition]))[partition])

    def _check_ends(self, ends: Mapping[int, int], counted: Mapping[int, int | None]) -> None:
        short = {}
        for number, end in ends.items():
            expected = counted[number]
            if expected is not None and end < expected:
                short[number] = self._short.get(number, 0) + 1
                if short[number] >= SHORT_LOOKS:
                    raise LedgerError(
                        f"partition {number} ends at offset {end}, before {expected}, up to which "
                        "it is counted: Kafka has lost records"
                    )
        self._short = short

    def _waiting(self, app: FlowApp, ends: Mapping[int, int]) -> dict[int, int]:
        lags = {}
        fetched = app.fetched()
        for number, end in ends.items():
            if number not in self._partitions.assigned:
                continue  # since the question
            expected = self._partitions.next_offset(number)
            if app.is_drained and fetched.get(number, -1) >= end:
                # Also where the last offsets are a transaction's markers, which nobody is given.
                lags[number] = 0
            else:
                # One that is not restored has something to do, whatever it is.
                lags[number] = 1 if expected is None else max(0, end - expected)
        return lags

    async def _explain(self, error: Exception) -> None:
        """Tell a client that cannot ask from a Kafka that is away."""
        try:
            await asyncio.wait_for(probe(self._settings), ANSWER_TIMEOUT_SECONDS)
        except (KafkaTroubleError, TimeoutError) as trouble:
            self._observer.kafka_away()
            away = monotonic() - self._answered_at
            if away > GIVE_UP_AFTER_SECONDS:
                raise LedgerError(f"Kafka is away since {away:.0f} s: {trouble}") from error
        else:
            self._observer.lags({})
            log.warning(
                "Kafka answers, but not to the question for the partitions' ends: %r", error
            )
