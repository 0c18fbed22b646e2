"""Export files through the exporter's loop, with a publisher in memory."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from tests.builders import START
from tests.export.test_exporter import Memory, exporter
from tests.export.test_live_export import asked, until
from tests.source.export_file.agent import Agent

from hubblewatch.errors import ConfigurationError
from hubblewatch.export.command import Command, Wishes
from hubblewatch.export.serving import ServedExport
from hubblewatch.kafka.publisher import Publisher
from hubblewatch.settings import (
    ExportSettings,
    FollowSettings,
    KafkaSettings,
    ServeSettings,
    Settings,
)
from hubblewatch.source.export_file.live import FollowedFiles


def followed(agent: Agent, position: Path | None = None) -> FollowedFiles:
    settings = FollowSettings(
        files=(str(agent.path),), position_file=position, poll_seconds=0.05, delay_seconds=0
    )
    return FollowedFiles(settings, print, lambda: (START + 3_600) * 1_000_000_000)


async def test_heartbeats_go_on_while_the_file_is_silent_and_end_without_a_last_one(
    tmp_path: Path,
) -> None:
    agent = Agent(tmp_path / "events.log")
    agent.write(3)
    memory, stop = Memory(), asyncio.Event()
    one = exporter(memory, wall_clock=lambda: START + 3_600)
    running = asyncio.create_task(one.run(followed(agent), stop))
    await until(lambda: one.router.pulse.newest == START + 3_600)
    stop.set()
    assert await running is False
    assert memory.flows() == ["0", "1", "2"]
    beats = [line.heartbeat for line in memory.lines() if line.heartbeat is not None]
    assert max(beat.watermark for beat in beats) == "2026-03-02T08:59:50Z"


async def test_an_orderly_end_leaves_nothing_to_be_read_again(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "events.log")
    position = tmp_path / "position"
    for _ in range(2):
        agent.write(120)
        memory, stop = Memory(), asyncio.Event()
        source = followed(agent, position)
        begin = len(agent.written) - 120
        assert source.goes_on is bool(begin)
        running = asyncio.create_task(exporter(memory).run(source, stop))
        await until(lambda memory=memory: len(memory.flows()) >= 120)
        stop.set()
        await running
        assert memory.flows() == agent.written[begin:]
        agent.rotate()


async def test_metrics_of_the_files_are_served_and_a_missing_file_is_not_unhealthy(
    tmp_path: Path,
) -> None:
    agent = Agent(tmp_path / "events.log")
    one, source, stop = exporter(Memory()), followed(agent), asyncio.Event()
    publisher = Publisher(KafkaSettings(), ("flows",))
    served = ServedExport(ServeSettings(port=0))
    served.begin(one, publisher, source)
    running = asyncio.create_task(one.run(source, stop))
    with served.served():
        await until(lambda: source.counts.waiting == 1)
        served.observe()
        metrics = await asyncio.to_thread(asked, served.address, "/metrics")
        assert "hubblewatch_source_files_waiting 1.0" in metrics
        report = json.loads(await asyncio.to_thread(asked, served.address, "/healthz"))
        assert report["components"]["source"]["healthy"]
        agent.write(5)
        await until(lambda: source.complete_through_ns > 0)
        served.observe()
        metrics = await asyncio.to_thread(asked, served.address, "/metrics")
        assert "hubblewatch_source_file_lines_total 5.0" in metrics
    stop.set()
    await running


async def test_an_idle_source_takes_hardly_any_processor_time(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "events.log")
    agent.write(1)
    source = FollowedFiles(FollowSettings(files=(str(agent.path),)), print)
    batches = source.batches()
    await anext(batches)
    await anext(batches)
    begin = time.process_time()
    await anext(batches)
    assert time.process_time() - begin < 0.3
    await batches.aclose()


@pytest.mark.parametrize(
    ("files", "speed", "told"),
    [
        ([], "max", "--follow needs files"),
        (["hubble"], "max", "no other source"),
        (["-"], "max", "--from: standard input cannot be followed"),
        (["events.log"], "recorded", "--speed is for"),
        (["."], "max", "is a directory"),
    ],
)
def test_what_cannot_be_followed_is_refused(files: list[str], speed: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Command(Settings(), files, Wishes(speed=speed, follows=True))


def test_files_of_the_settings_are_followed(tmp_path: Path) -> None:
    (tmp_path / "position").write_text("something else")
    follow = FollowSettings(
        files=(str(tmp_path / "events.log"),), position_file=tmp_path / "position"
    )
    with pytest.raises(ConfigurationError, match="no position file"):
        Command(Settings(export=ExportSettings(follow=follow)), [], Wishes(follows=True))


def test_a_position_file_is_for_one_exporter_alone(tmp_path: Path) -> None:
    follow = FollowSettings(
        files=(str(tmp_path / "events.log"),), position_file=tmp_path / "position"
    )
    settings = Settings(export=ExportSettings(follow=follow))
    Command(settings, [], Wishes(follows=True))
    with pytest.raises(ConfigurationError, match=r"position is in use by another exporter"):
        Command(settings, [], Wishes(follows=True))


def test_a_position_file_in_no_directory_is_refused(tmp_path: Path) -> None:
    follow = FollowSettings(
        files=(str(tmp_path / "events.log"),), position_file=tmp_path / "none" / "position"
    )
    with pytest.raises(ConfigurationError, match="must be there and writable"):
        Command(Settings(export=ExportSettings(follow=follow)), [], Wishes(follows=True))
