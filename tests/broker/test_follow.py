"""`hubblewatch export --follow` to a real broker: killed in the middle, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.broker.test_export import exported, exporting
from tests.source.export_file.agent import Agent

from hubblewatch.flow.schema import Line
from hubblewatch.kafka.topic_admin import apply_topics

SECONDS = 60.0


@pytest.fixture
def position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "position.json"
    monkeypatch.setenv("HUBBLEWATCH_EXPORT__FOLLOW__POSITION_FILE", str(path))
    return path


async def until_arrived(kafka_settings, wanted: int) -> list[Line]:
    """The lines in Kafka, once so many different flows are there."""
    end = time.monotonic() + SECONDS
    while True:
        lines = [line for stream in await exported(kafka_settings) for line in stream]
        arrived = {line.flow.uuid for line in lines if line.flow is not None}
        if len(arrived) >= wanted:
            return lines
        assert time.monotonic() < end, f"only {len(arrived)} of {wanted} flows arrived"
        await asyncio.sleep(0.3)


def is_remembered(position: Path, file: Path) -> bool:
    """Whether the position is at the end of the present file."""
    if not position.exists():
        return False
    place = json.loads(position.read_bytes())["files"].get(str(file))
    status = file.stat()
    return place is not None and (place["inode"], place["offset"]) == (
        status.st_ino,
        status.st_size,
    )


async def until_remembered(position: Path, file: Path) -> None:
    end = time.monotonic() + SECONDS
    while not is_remembered(position, file):
        assert time.monotonic() < end, "the position is not at the end of the file"
        await asyncio.sleep(0.1)


async def test_an_exporter_killed_between_rotations_loses_no_line(
    kafka_settings, tmp_path, position
):
    await apply_topics(kafka_settings)
    agent = Agent(tmp_path / "events.log")
    for _ in range(3):
        agent.write(2_000)
        agent.rotate(is_packed=True)
    agent.write(500)
    follow = ("--follow", "--from", str(agent.path))
    for _ in range(2):
        async with exporting(kafka_settings, *follow) as process:
            await until_arrived(kafka_settings, len(agent.written))
            await until_remembered(position, agent.path)
            agent.write(1_500)
            agent.rotate()
            agent.write(300)
            await until_arrived(kafka_settings, len(agent.written) - 300)
            # No end in order: what is not acknowledged, or not yet remembered, comes again.
            process.kill()
        agent.write(700)
        agent.rotate(is_packed=True)
        agent.write(400)
    async with exporting(kafka_settings, *follow) as process:
        lines = await until_arrived(kafka_settings, len(agent.written))
        await until_remembered(position, agent.path)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    times = Counter(line.flow.uuid for line in lines if line.flow is not None)
    assert set(times) == set(agent.written)
    # Only what the kills left in doubt came again, and what had been remembered never did.
    assert all(times[name] == 1 for name in agent.written[:6_500])
    assert not [line for line in lines if line.lost_events is not None]


async def test_an_orderly_restart_sends_nothing_again_and_marks_what_is_gone(
    kafka_settings, tmp_path, position
):
    await apply_topics(kafka_settings)
    agent = Agent(tmp_path / "events.log")
    agent.write(1_000)
    follow = ("--follow", "--from", str(agent.path))
    async with exporting(kafka_settings, *follow) as process:
        await until_arrived(kafka_settings, 1_000)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    for _ in range(3):
        agent.write(100)
        agent.rotate(backups=1)
    agent.write(100)
    async with exporting(kafka_settings, *follow) as process:
        lines = await until_arrived(kafka_settings, 1_200)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    arrived = Counter(line.flow.uuid for line in lines if line.flow is not None)
    assert set(arrived) == set(agent.written[:1_000] + agent.written[1_200:])
    assert max(arrived.values()) == 1
    assert {line.lost_events.source for line in lines if line.lost_events} == {"stream-gap"}
