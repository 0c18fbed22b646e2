"""Watches from beside the stream how much of each partition waits in Kafka."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

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
GIVE_UP_AFTER_SECONDS = 20.0
"""Without an answer from Kafka; then its clients are closed, and one probe waits in their place."""


class LagWatch:
    """Asks Kafka itself, not the consumer's memory: a consumer that stalls remembers no lag."""

    def __init__(
        self, settings: KafkaSettings, partitions: Partitions, observer: WorkerObserver
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._observer = observer
        self._lags: dict[int, int] = {}
        self._asked_at = monotonic()
        self._answered_at = monotonic()

    def is_read(self, number: int) -> bool:
        """Whether, when last asked, nothing of a partition waited."""
        is_fresh = monotonic() - self._answered_at < 3 * EVERY_SECONDS
        return is_fresh and self._lags.get(number) == 0

    async def look(self, app: FlowApp) -> None:
        """Ask, if it is time again; raises LedgerError when Kafka has been away for long."""
        now = monotonic()
        if now - self._asked_at < EVERY_SECONDS:
            return
        self._asked_at = now
        try:
            self._lags = await asyncio.wait_for(self._ask(app), ANSWER_TIMEOUT_SECONDS)
        except ConsumerNotStarted:
            return
        except (KafkaError, TimeoutError) as error:
            await self._explain(error)
        else:
            self._answered_at = monotonic()
            self._observer.lags(self._lags)

    async def _ask(self, app: FlowApp) -> dict[int, int]:
        lags = {}
        for number, (end, position) in (await app.log_ends()).items():
            expected = self._partitions.next_offset(number)
            if expected is None:
                # Not restored, or nothing was ever read: all that is there waits.
                lags[number] = 0 if position == end and app.is_drained else max(1, end - position)
            elif position >= end and app.is_drained:
                # Also where the last offsets are a transaction's markers, which nobody is given.
                lags[number] = 0
            else:
                lags[number] = max(0, end - expected)
        return lags

    async def _explain(self, error: Exception) -> None:
        """Tell a consumer that is stuck from a Kafka that is away."""
        try:
            await asyncio.wait_for(probe(self._settings), ANSWER_TIMEOUT_SECONDS)
        except (KafkaTroubleError, TimeoutError) as trouble:
            away = monotonic() - self._answered_at
            self._observer.deaf(self._partitions.assigned, kafka_answers=False)
            if away > GIVE_UP_AFTER_SECONDS:
                raise LedgerError(f"Kafka is away since {away:.0f} s: {trouble}") from error
        else:
            log.warning("Kafka answers, but the consumer does not: %r", error)
            self._observer.deaf(self._partitions.assigned, kafka_answers=True)
