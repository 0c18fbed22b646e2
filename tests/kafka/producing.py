"""A Kafka in place of aiokafka's producers, which is there, takes and acknowledges when told to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from hubblewatch.kafka import publisher


class Kafka:
    """What the producers that a publisher makes are connected to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_there: bool = True) -> None:
        self.there = asyncio.Event()
        if is_there:
            self.there.set()
        self.lets_go = asyncio.Event()
        """Unset, whoever closes a connection hangs, whatever he is told."""
        self.lets_go.set()
        self.producers = 0
        self.waiting: list[asyncio.Future[None]] = []
        monkeypatch.setattr(publisher, "wait_for_kafka", self._wait)
        monkeypatch.setattr(publisher, "AIOKafkaProducer", lambda **_: _Producer(self))

    def acknowledge(self) -> None:
        """Take all that waits."""
        for record in self.waiting:
            record.set_result(None)
        self.waiting.clear()

    def fail(self) -> None:
        """Let the producer's records fail."""
        for record in self.waiting:
            record.set_exception(OSError("gone"))
        self.waiting.clear()

    async def _wait(self, *_: Any) -> None:
        await self.there.wait()


class _Client:
    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def _metadata_update(self, *_: Any) -> bool:
        return True

    async def close(self) -> None:
        while not self._kafka.lets_go.is_set():
            with suppress(asyncio.CancelledError):
                await self._kafka.lets_go.wait()


class _Sender:
    async def close(self) -> None:
        """Nothing to do."""


class _Producer:
    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.client = _Client(kafka)
        self._sender = _Sender()

    async def start(self) -> None:
        self._kafka.producers += 1

    async def send(self, *_: Any, **__: Any) -> asyncio.Future[None]:
        record: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kafka.waiting.append(record)
        return record
