"""Keeps refused lines in the topic of rejects: as many as are useful, never at the flows' cost."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.redact import Redaction

log = logging.getLogger(__name__)

WAITING = 500
"""Refused lines held in memory; a broken shipper can make every line one."""

DEFECT = "defect"
"""Reason of a record that was passed by since the pipeline failed on it, not its lines."""

A_SECOND = 100
MAX_VALUE_BYTES = 64 << 10
SEND_TIMEOUT_SECONDS = 10.0
RETRY_SECONDS = 5.0


class _Refused(Struct, frozen=True):
    reason: str
    place: str
    detail: str
    value: bytes


class RejectTopic:
    """Sends refused lines on, at least once each, with headers ``reason``, ``place``, ``detail``.

    Of each only what ``redaction`` keeps: the record may be of a shipper that redacts nothing.

    What does not fit its bounds is lost and told to ``on_lost``; lines that are read again after a
    restart are kept again.
    """

    def __init__(
        self,
        topic: str,
        arguments: Callable[[], Mapping[str, Any]],
        on_lost: Callable[[int], None],
        redaction: Redaction,
    ) -> None:
        self._topic = topic
        self._arguments = arguments
        self._on_lost = on_lost
        self._redaction = redaction
        self._waiting: deque[_Refused] = deque()
        self._wake = asyncio.Event()

    def keep(self, reason: str, place: str, detail: str, value: bytes) -> None:
        """Take the begin of a refused line, or, if it is a ``DEFECT``, a whole record."""
        if len(self._waiting) >= WAITING:
            self._on_lost(1)
            return
        redaction = self._redaction
        kept = redaction.record(value) if reason == DEFECT else redaction.excerpt(value)
        self._waiting.append(_Refused(reason, place, detail, kept[:MAX_VALUE_BYTES]))
        self._wake.set()

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            await self._wake.wait()
            try:
                await self._send_while_any()
            except (KafkaError, TimeoutError, OSError, ConfigurationError) as error:
                # The last one for a certificate or password that is read while it is replaced.
                log.warning("refused lines could not be kept: %r", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _send_while_any(self) -> None:
        producer = AIOKafkaProducer(**self._arguments(), compression_type="zstd", linger_ms=50)
        try:
            await asyncio.wait_for(producer.start(), SEND_TIMEOUT_SECONDS)
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(A_SECOND, len(self._waiting)))]
                await self._send(producer, batch)
                # A moment for more, so that one producer serves a burst; it also bounds the rate.
                await asyncio.sleep(1.0)
            self._wake.clear()
        finally:
            await asyncio.wait({asyncio.ensure_future(producer.stop())}, timeout=1.0)

    async def _send(self, producer: AIOKafkaProducer, batch: list[_Refused]) -> None:
        sending = [
            producer.send_and_wait(
                self._topic,
                refused.value,
                headers=[
                    ("reason", refused.reason.encode()),
                    ("place", refused.place.encode("utf-8", "replace")),
                    ("detail", refused.detail.encode("utf-8", "replace")),
                ],
            )
            for refused in batch
        ]
        try:
            outcomes = await asyncio.wait_for(
                asyncio.gather(*sending, return_exceptions=True), SEND_TIMEOUT_SECONDS
            )
        except TimeoutError:
            self._on_lost(len(batch))
            raise
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            self._on_lost(len(failures))
            raise failures[0]
