"""`hubblewatch export` of a live Hubble to a real broker."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest
from tests.broker.test_export import PARTITIONS, exported, exporting, until_said
from tests.export.test_serving import got
from tests.source.hubble.observer import Observer, loss_now

from hubblewatch.flow.schema import Line
from hubblewatch.kafka.topic_admin import apply_topics


@pytest.fixture
def observer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    started = Observer().start()
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ADDRESS", started.address)
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__MAX_BACKOFF_SECONDS", "0.5")
    yield started
    started.stop()


async def lines_when(kafka_settings, is_so, seconds=30.0) -> list[Line]:
    end = time.monotonic() + seconds
    while True:
        lines = [line for stream in await exported(kafka_settings) for line in stream]
        if is_so(lines):
            return lines
        assert time.monotonic() < end, f"{len(lines)} lines, but not what was waited for"
        await asyncio.sleep(0.3)


def await_request(observer: Observer) -> None:
    end = time.monotonic() + 30
    while not observer.requests:
        assert time.monotonic() < end, "the exporter does not ask"
        time.sleep(0.1)


def uuids(lines: list[Line]) -> set[str]:
    return {line.flow.uuid for line in lines if line.flow is not None}


async def test_flows_losses_and_heartbeats_reach_kafka_over_a_break(kafka_settings, observer):
    await apply_topics(kafka_settings)
    async with exporting(kafka_settings) as process:
        await asyncio.to_thread(await_request, observer)
        observer.add("a", "b")
        observer.add_raw(loss_now(7))
        await lines_when(kafka_settings, lambda lines: uuids(lines) == {"a", "b"})
        await asyncio.to_thread(observer.stop)
        observer.add("c", "d")
        observer.start()
        lines = await lines_when(
            kafka_settings,
            lambda lines: uuids(lines) == {"a", "b", "c", "d"} and any(x.heartbeat for x in lines),
        )
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
    assert sum(line.flow is not None for line in lines) == 4
    losses = [line.lost_events.num_events_lost for line in lines if line.lost_events is not None]
    assert losses == ["7"] * PARTITIONS


async def test_what_hubble_has_while_kafka_is_waited_for_is_exported(kafka_settings, observer):
    async with exporting(kafka_settings) as process:
        await until_said(process, b"waiting for Kafka")
        observer.add("while", "waiting")
        await apply_topics(kafka_settings)
        await lines_when(kafka_settings, lambda lines: uuids(lines) == {"while", "waiting"})
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_it_is_ready_once_kafka_is_there_and_tells_that_it_is_connected(
    kafka_settings, observer
):
    async with exporting(kafka_settings, "--serve") as process:
        line = b""
        while b"serving http://" not in line:
            line = await asyncio.wait_for(process.stderr.readline(), 30)
        address = line.decode().split("http://")[1].strip()
        assert (await asyncio.to_thread(got, address, "/readyz"))[0] == 503
        await apply_topics(kafka_settings)
        end = time.monotonic() + 30
        connected = "hubblewatch_exporter_kafka_connected 1.0"
        while connected not in (await asyncio.to_thread(got, address, "/metrics"))[1]:
            assert time.monotonic() < end, "no producer is at work"
            await asyncio.sleep(0.2)
        assert (await asyncio.to_thread(got, address, "/readyz"))[0] == 200
        assert (await asyncio.to_thread(got, address, "/healthz"))[0] == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
