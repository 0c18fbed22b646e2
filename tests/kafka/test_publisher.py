"""What a publisher says of its producer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.kafka.producing import Kafka
from tests.serve.building import HandClock

from hubblewatch.kafka.publisher import Publisher
from hubblewatch.settings import KafkaSettings

SILENT_SECONDS = 60.0
"""A tenth of it passes between two looks of the publisher: longer than a test takes."""


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def publishing(
    clock: Callable[[], float], silent_seconds: float = SILENT_SECONDS
) -> AsyncIterator[Publisher]:
    publisher = Publisher(KafkaSettings(), ("flows",), silent_seconds=silent_seconds, clock=clock)
    publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop(0.0, tells=False)


async def test_nothing_is_overdue_while_kafka_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka, clock = Kafka(monkeypatch, is_there=False), HandClock()
    async with publishing(clock) as publisher:
        await publisher.publish("flows", 0, b"record")
        await asyncio.sleep(0.05)
        clock.advance(86_400)
        assert not publisher.is_connected
        assert publisher.overdue == 0
        kafka.there.set()
        await until(lambda: publisher.is_connected)
        await until(lambda: len(kafka.waiting) == 1)
        assert publisher.overdue == 0, "the producer has only just got it"


async def test_records_are_overdue_when_the_producer_has_had_the_oldest_for_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka, clock = Kafka(monkeypatch), HandClock()
    async with publishing(clock) as publisher:
        await until(lambda: publisher.is_connected)
        clock.advance(86_400)
        assert publisher.overdue == 0, "it is idle"
        await publisher.publish("flows", 0, b"first")
        clock.advance(SILENT_SECONDS)
        await publisher.publish("flows", 0, b"second")
        assert publisher.overdue == 0
        clock.advance(1)
        assert publisher.overdue == 2
        await until(lambda: len(kafka.waiting) == 2)
        kafka.acknowledge()
        await until(lambda: publisher.delivered == 2)
        assert publisher.overdue == 0
        assert kafka.producers == 1


async def test_a_silent_producer_is_replaced_and_nothing_stays_overdue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka = Kafka(monkeypatch)
    async with publishing(time.monotonic, 0.3) as publisher:
        await publisher.publish("flows", 0, b"record")
        await until(lambda: publisher.counts.replacements == 1)
        assert not publisher.is_connected
        assert publisher.overdue == 0
        await until(lambda: kafka.producers == 2 and publisher.is_connected)
        kafka.acknowledge()
        await until(lambda: publisher.delivered == 1)


async def test_a_producer_that_failed_is_not_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka, clock = Kafka(monkeypatch), HandClock()
    async with publishing(clock) as publisher:
        await publisher.publish("flows", 0, b"record")
        await until(lambda: len(kafka.waiting) == 1)
        assert publisher.is_connected
        kafka.there.clear()
        kafka.fail()
        await until(lambda: publisher.counts.replacements == 1)
        clock.advance(86_400)
        assert not publisher.is_connected
        assert publisher.overdue == 0
    assert not publisher.is_connected


async def test_records_are_overdue_when_a_producer_cannot_even_be_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka, clock = Kafka(monkeypatch), HandClock()
    async with publishing(clock) as publisher:
        await publisher.publish("flows", 0, b"record")
        await until(lambda: len(kafka.waiting) == 1)
        kafka.lets_go.clear()
        try:
            kafka.fail()
            await until(lambda: not publisher.is_connected)
            clock.advance(SILENT_SECONDS + 1)
            assert publisher.overdue == 1
        finally:
            kafka.lets_go.set()
        await until(lambda: publisher.overdue == 0)
