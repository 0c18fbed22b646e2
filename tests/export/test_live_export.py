"""A live Hubble through the exporter's loop, with a publisher in memory."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from tests.export.test_exporter import Memory, exporter
from tests.source.hubble.observer import Observer, loss_now

from hubblewatch.errors import ConfigurationError
from hubblewatch.export.command import Command, Wishes
from hubblewatch.export.serving import ServedExport
from hubblewatch.kafka.publisher import Publisher
from hubblewatch.settings import HubbleSettings, KafkaSettings, ServeSettings, Settings
from hubblewatch.source.hubble.live import LiveSource
from hubblewatch.source.hubble.stream import HubbleStream


@pytest.fixture
def observer() -> Iterator[Observer]:
    started = Observer().start()
    yield started
    started.stop()


def live(observer: Observer, since_ns: int = 0) -> LiveSource:
    settings = HubbleSettings(
        address=observer.address, backoff_seconds=0.05, max_backoff_seconds=0.2
    )
    return LiveSource(HubbleStream(settings, lambda _: None, since_ns=since_ns))


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.05)


async def test_flows_losses_and_heartbeats_of_a_live_hubble_are_published(
    observer: Observer,
) -> None:
    memory, stop = Memory(), asyncio.Event()
    running = asyncio.create_task(exporter(memory).run(live(observer), stop))
    await until(lambda: bool(observer.requests))
    observer.add("a", "b")
    observer.add_raw(loss_now(7))
    observer.add("c")
    await until(lambda: len(memory.flows()) == 3)
    await until(lambda: any(line.heartbeat is not None for line in memory.lines()))
    await until(lambda: any(line.lost_events is not None for line in memory.lines()))
    stop.set()
    assert await running is False
    assert memory.flows() == ["a", "b", "c"]
    lost = [line.lost_events for line in memory.lines() if line.lost_events is not None]
    assert {one.num_events_lost for one in lost} == {"7"}


async def test_heartbeats_stand_still_while_hubble_is_away(observer: Observer) -> None:
    memory, stop = Memory(), asyncio.Event()
    one = exporter(memory)
    running = asyncio.create_task(one.run(live(observer), stop))
    await until(lambda: bool(observer.requests))
    observer.add("a", "b")
    await until(lambda: one.router.pulse.heartbeats > 0)
    observer.stop()
    await asyncio.sleep(1.5)
    beats = one.router.pulse.heartbeats
    await asyncio.sleep(2.0)
    assert one.router.pulse.heartbeats == beats
    observer.start()
    await until(lambda: one.router.pulse.heartbeats > beats)
    stop.set()
    await running


async def test_what_hubble_still_has_of_the_time_before_the_connection_is_published_in_time(
    observer: Observer,
) -> None:
    since_ns = time.time_ns() - 60_000_000_000
    for number in range(100):
        observer.add(f"flow-{number}", at_ns=since_ns + number * 500_000_000)
    memory, stop = Memory(), asyncio.Event()
    one = exporter(memory)
    running = asyncio.create_task(one.run(live(observer, since_ns), stop))
    await until(lambda: len(memory.flows()) == 100)
    stop.set()
    await running
    assert one.router.counts.late == 0


async def test_the_source_is_shown_and_a_hubble_that_is_away_is_not_unhealthy(
    observer: Observer,
) -> None:
    one, source, stop = exporter(Memory()), live(observer), asyncio.Event()
    publisher = Publisher(KafkaSettings(), ("flows",))
    served = ServedExport(ServeSettings(port=0))
    served.begin(one, publisher, source)
    running = asyncio.create_task(one.run(source, stop))
    with served.served():
        await until(lambda: bool(observer.requests))
        observer.add("a", "b")
        await until(lambda: source.complete_through_ns > 0)
        served.observe()
        metrics = await asyncio.to_thread(asked, served.address, "/metrics")
        assert "hubblewatch_source_flows_total 2.0" in metrics
        assert "hubblewatch_source_connected 1.0" in metrics
        await asyncio.to_thread(observer.stop)
        await until(lambda: not source.counts.connected)
        taken = source.taken
        await until(lambda: source.taken > taken)
        served.observe()
        metrics = await asyncio.to_thread(asked, served.address, "/metrics")
        assert "hubblewatch_source_connected 0.0" in metrics
        report = json.loads(await asyncio.to_thread(asked, served.address, "/healthz"))
        assert report["components"]["source"]["healthy"]
        assert report["components"]["source"]["lag"] == 1
        assert report["components"]["source"]["seconds_without_progress"] < 3
    stop.set()
    await running


def asked(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        body: bytes = answer.read()
    return body.decode()


@pytest.mark.parametrize(
    ("files", "speed", "told"),
    [(["hubble", "a.jsonl"], "max", "no other source"), ([], "recorded", "--speed is for")],
)
def test_what_does_not_fit_a_live_hubble_is_refused(
    files: list[str], speed: str, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Command(Settings(), files, Wishes(speed=speed))
