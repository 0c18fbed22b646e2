"""A live export whose Kafka or whose process is gone for a while: what comes after is whole."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.broker.faulty_hubble import NODES, FaultyHubble
from tests.broker.test_export import PARTITIONS, exported, exporting
from tests.broker.test_live_export import await_request

from hubblewatch.flow.schema import Line
from hubblewatch.kafka.topic_admin import apply_topics
from hubblewatch.settings import KafkaSettings
from hubblewatch.window.completeness import EXPORTER_BUFFER

SECONDS = 90.0


@pytest.fixture
def hubble(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyHubble]:
    started = FaultyHubble()
    started.start()
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ADDRESS", started.address)
    yield started
    started.stop()


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory, with as little room in memory as there can be before it."""
    directory = tmp_path / "spool"
    monkeypatch.setenv("HUBBLEWATCH_EXPORT__SPOOL__DIRECTORY", str(directory))
    monkeypatch.setenv("HUBBLEWATCH_EXPORT__PENDING_MIB", "1")
    return directory


@pytest.fixture
async def settings(own_kafka) -> KafkaSettings:
    found = KafkaSettings(
        bootstrap_servers=own_kafka.bootstrap,
        topic_prefix="spooled.",
        partitions=PARTITIONS,
        request_timeout_seconds=5,
    )
    await apply_topics(found)
    return found


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


def stored_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.spool") if path.exists())


def uuids(stream: list[Line]) -> list[str]:
    """Each flow at its first appearance."""
    return list(dict.fromkeys(line.flow.uuid for line in stream if line.flow is not None))


async def streams_when(
    settings: KafkaSettings, is_so: Callable[[list[list[Line]]], bool]
) -> list[list[Line]]:
    end = time.monotonic() + SECONDS
    while True:
        streams = await exported(settings)
        if is_so(streams):
            return streams
        assert time.monotonic() < end, "it did not all come"
        await asyncio.sleep(0.5)


def count(streams: list[list[Line]]) -> int:
    return sum(len(uuids(stream)) for stream in streams)


def assert_whole(streams: list[list[Line]], hubble: FaultyHubble) -> None:
    """Every flow once after de-duplication, and in order in each partition."""
    found = [uuid for stream in streams for uuid in uuids(stream)]
    assert sorted(found) == [uuid for uuid, _ in hubble.made]
    for stream in streams:
        assert uuids(stream) == sorted(uuids(stream))


async def fill(hubble: FaultyHubble, directory: Path, least: int) -> None:
    """Make flows until so many bytes are in the spool."""
    end = time.monotonic() + SECONDS
    while stored_bytes(directory) < least:
        assert time.monotonic() < end, "the spool does not fill"
        await asyncio.to_thread(hubble.speak, 500)
        await asyncio.sleep(0.05)


async def ended(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_kafka_that_is_killed_gets_all_from_the_spool_in_order(
    own_kafka, settings, hubble, spool
):
    async with exporting(settings) as process:
        await asyncio.to_thread(await_request, hubble)
        hubble.speak(200)
        await streams_when(settings, lambda streams: count(streams) == 200)
        await asyncio.to_thread(own_kafka.kill)
        await fill(hubble, spool, 200_000)
        await asyncio.to_thread(own_kafka.start)
        hubble.speak(200)
        streams = await streams_when(settings, lambda got: count(got) >= len(hubble.made))
        assert_whole(streams, hubble)
        await until(lambda: stored_bytes(spool) == 0, "the spool is not emptied")
        await ended(process)
    assert len(hubble.requests) == 1, "Hubble was never made to wait so long as to break off"


async def test_what_an_exporter_leaves_behind_its_successor_sends(
    own_kafka, settings, hubble, spool
):
    async with exporting(settings) as process:
        await asyncio.to_thread(await_request, hubble)
        hubble.speak(200)
        await streams_when(settings, lambda streams: count(streams) == 200)
        await asyncio.to_thread(own_kafka.kill)
        await fill(hubble, spool, 100_000)
        process.kill()
        await process.wait()
    assert stored_bytes(spool) > 0
    hubble.speak(300)
    await asyncio.to_thread(own_kafka.start)
    async with exporting(settings) as process:
        streams = await streams_when(settings, lambda got: count(got) >= len(hubble.made))
        await ended(process)
    found = {uuid for stream in streams for uuid in uuids(stream)}
    assert found == {uuid for uuid, _ in hubble.made}


async def test_a_restart_goes_on_where_kafka_has_everything(own_kafka, settings, hubble, spool):
    async with exporting(settings) as process:
        await asyncio.to_thread(await_request, hubble)
        begun = (spool / "position.json").read_bytes()
        hubble.speak(200)
        await streams_when(settings, lambda streams: count(streams) == 200)
        # Relay's latency passes before the flows count as complete.
        await until(
            lambda: (spool / "position.json").read_bytes() != begun, "no position is written"
        )
        await ended(process)
    hubble.speak(300)
    async with exporting(settings) as process:
        streams = await streams_when(settings, lambda got: count(got) >= len(hubble.made))
        await ended(process)
    assert_whole(streams, hubble)


async def test_beyond_the_bound_the_oldest_are_lost_and_told_to_all_partitions(
    own_kafka, settings, hubble, spool, monkeypatch
):
    monkeypatch.setenv("HUBBLEWATCH_EXPORT__SPOOL__MAX_MIB", "1")
    hubble.maker.noise_bytes = 400
    async with exporting(settings) as process:
        await asyncio.to_thread(await_request, hubble)
        hubble.speak(200)
        await streams_when(settings, lambda streams: count(streams) == 200)
        await asyncio.to_thread(own_kafka.kill)
        losses = spool / "losses.json"
        end = time.monotonic() + SECONDS
        while not losses.exists():
            assert time.monotonic() < end, "the bound is not reached"
            await asyncio.to_thread(hubble.speak, 500)
            await asyncio.sleep(0.05)
        assert stored_bytes(spool) <= (1 << 20) + (512 << 10)
        await asyncio.to_thread(own_kafka.start)
        last = hubble.made[-1][0]
        streams = await streams_when(
            settings, lambda got: any(last in uuids(stream) for stream in got)
        )
        await until(lambda: stored_bytes(spool) == 0, "the spool is not emptied")
        streams = await exported(settings)
        await ended(process)
    missing = len(hubble.made) - count(streams)
    assert missing > 0
    for stream in streams:
        told = {
            (loss.first, loss.last): int(loss.num_events_lost)
            for line in stream
            if (loss := line.lost_events) is not None and loss.source == EXPORTER_BUFFER
        }
        assert sum(told.values()) == missing
        assert uuids(stream) == sorted(uuids(stream))
    assert {node for _, node in hubble.made} == set(NODES)
