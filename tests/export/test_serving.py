"""What an export serves: health and metrics, before Kafka is there and while it is away."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.broker.test_export import exporting
from tests.export.test_exporter import Memory, exporter
from tests.export.test_live_export import until
from tests.kafka.producing import Kafka
from tests.serve.building import HandClock

from hubblewatch.export.serving import ServedExport
from hubblewatch.kafka.publisher import Publisher
from hubblewatch.kafka.spool.publisher import SpoolingPublisher
from hubblewatch.kafka.spool.spool import Spool
from hubblewatch.serve.health import STUCK_AFTER_SECONDS
from hubblewatch.settings import KafkaSettings, ServeSettings

NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:9", topic_prefix="away.")
STEP_SECONDS = 5.0


def got(address: str, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


async def asked(address: str, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(got, address, path)


async def health(served: ServedExport) -> tuple[int, dict[str, Any]]:
    """Status, and the components that are told of."""
    status, body = await asked(served.address, "/healthz")
    components: dict[str, Any] = json.loads(body)["components"]
    return status, components


def pass_by(served: ServedExport, clock: HandClock, seconds: float) -> None:
    """Let so much time pass for an event loop that moves."""
    for _ in range(round(seconds / STEP_SECONDS)):
        clock.advance(STEP_SECONDS)
        served.observe()


def with_spool(publisher: Publisher, directory: Path) -> tuple[SpoolingPublisher, Spool]:
    spool = Spool(directory / "spool", 1 << 20, "flows")
    return SpoolingPublisher(publisher, spool, ("flows",), 3), spool


async def test_it_serves_before_kafka_is_there_and_is_ready_once_the_export_begins() -> None:
    served = ServedExport(ServeSettings(port=0))
    with served.served():
        status, components = await health(served)
        assert (status, list(components)) == (200, ["event-loop"])
        assert (await asked(served.address, "/readyz"))[0] == 503
        _, metrics = await asked(served.address, "/metrics")
        assert "hubblewatch_exporter_kafka_connected 0.0" in metrics
        assert "hubblewatch_exporter_flows_total 0.0" in metrics
        assert "\nhubblewatch_exporter_watermark_lag_seconds" not in metrics
        served.begin(exporter(Memory()), Publisher(NOWHERE, ("flows",)))
        assert (await asked(served.address, "/readyz"))[0] == 200
        assert set((await health(served))[1]) == {"event-loop", "publisher"}


@pytest.mark.parametrize("spools", [False, True])
async def test_a_kafka_that_is_away_is_not_unhealthy(tmp_path: Path, spools: bool) -> None:
    clock = HandClock()
    one = Publisher(NOWHERE, ("flows",), max_pending_bytes=10, clock=clock)
    publisher, spool = with_spool(one, tmp_path) if spools else (one, None)
    served = ServedExport(ServeSettings(port=0), clock)
    publisher.start()
    with served.served():
        counts = None if spool is None else spool.counts
        served.begin(exporter(Memory()), publisher, spool=counts)
        for _ in range(1 if spool is None else 3):
            await publisher.publish("flows", 0, b"ten  bytes")
        assert not one.has_room
        assert spool is None or spool.counts.spooled == 2
        pass_by(served, clock, 20 * STUCK_AFTER_SECONDS)
        status, components = await health(served)
        assert status == 200
        assert components["publisher"]["lag"] == 0
        _, metrics = await asked(served.address, "/metrics")
        assert "hubblewatch_exporter_kafka_connected 0.0" in metrics
        assert "hubblewatch_exporter_pending_records 1.0" in metrics
    await publisher.stop(0.0)


@pytest.mark.parametrize("spools", [False, True])
async def test_a_producer_that_hangs_beyond_its_replacement_is_unhealthy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spools: bool
) -> None:
    kafka, clock = Kafka(monkeypatch), HandClock()
    # The publisher looks for it after ten seconds that really pass: for this test it never does.
    one = Publisher(NOWHERE, ("flows",), silent_seconds=100.0, clock=clock)
    publisher, _ = with_spool(one, tmp_path) if spools else (one, None)
    served = ServedExport(ServeSettings(port=0), clock)
    publisher.start()
    with served.served():
        served.begin(exporter(Memory()), publisher)
        await until(lambda: publisher.is_connected)
        await publisher.publish("flows", 0, b"record")
        await until(lambda: len(kafka.waiting) == 1)
        pass_by(served, clock, 100.0 + STUCK_AFTER_SECONDS)
        status, components = await health(served)
        assert (status, components["publisher"]["lag"]) == (200, 1)
        _, metrics = await asked(served.address, "/metrics")
        assert "hubblewatch_exporter_kafka_connected 1.0" in metrics
        pass_by(served, clock, STEP_SECONDS)
        status, components = await health(served)
        assert status == 503
        assert [name for name, one in components.items() if not one["healthy"]] == ["publisher"]
        kafka.acknowledge()
        await until(lambda: publisher.delivered == 1)
        served.observe()
        assert (await health(served))[0] == 200
    await publisher.stop(0.0)


async def test_a_hung_event_loop_is_unhealthy() -> None:
    clock = HandClock()
    served = ServedExport(ServeSettings(port=0), clock)
    with served.served():
        await asyncio.sleep(0)
        clock.advance(STUCK_AFTER_SECONDS - 1)
        # Asked from the loop itself, which therefore hangs.
        assert got(served.address, "/healthz")[0] == 200
        clock.advance(2)
        status, body = got(served.address, "/healthz")
        assert status == 503
        assert not json.loads(body)["components"]["event-loop"]["healthy"]
        served.observe()
        assert got(served.address, "/healthz")[0] == 200


async def test_the_command_serves_while_it_waits_for_kafka_and_ends_when_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ADDRESS", "127.0.0.1:9")
    async with exporting(NOWHERE, "--serve") as process:
        assert process.stderr is not None
        said = ""
        async with asyncio.timeout(30):
            while "serving http://" not in said or "waiting for Kafka" not in said:
                said += (await process.stderr.readline()).decode()
        address = said.split("serving http://")[1].split()[0]
        assert (await asked(address, "/healthz"))[0] == 200
        assert (await asked(address, "/readyz"))[0] == 503
        status, metrics = await asked(address, "/metrics")
        assert status == 200
        assert "hubblewatch_exporter_kafka_connected 0.0" in metrics
        assert "hubblewatch_exporter_pending_records 0.0" in metrics
        assert process.returncode is None
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert time.monotonic() - begin < 5
