"""Several files at once, and how far event time is complete."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import tracemalloc
from pathlib import Path
from typing import NoReturn

import pytest
from tests.builders import flow
from tests.source.export_file.agent import Agent, Reader, uuids

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import FollowSettings
from hubblewatch.source.export_file import follower, live
from hubblewatch.source.export_file.live import GONE_AFTER_SECONDS, FollowedFiles
from hubblewatch.source.export_file.opened import OpenedGeneration


def agents(tmp_path: Path, *names: str) -> list[Agent]:
    found = []
    for name in names:
        (tmp_path / name).mkdir()
        found.append(Agent(tmp_path / name / "events.log", f"{name}-", name))
    return found


def pattern(tmp_path: Path) -> str:
    return str(tmp_path / "*" / "events*.log")


def times(reader: Reader) -> list[str]:
    return [line.flow.time for line in reader.lines if line.flow is not None]


def test_files_are_merged_by_event_time(tmp_path: Path) -> None:
    one, other = agents(tmp_path, "a", "b")
    one.write(500)
    other.write(30)
    other.rotate()
    other.write(200)
    reader = Reader([pattern(tmp_path)])
    assert sorted(reader.read()) == sorted(one.written + other.written)
    assert times(reader) == sorted(times(reader))


def test_a_file_that_is_behind_does_not_hold_back_the_next_start(tmp_path: Path) -> None:
    one, other = agents(tmp_path, "a", "b")
    one.write(300)
    other.write(300)
    position = tmp_path / "position"
    first = Reader([pattern(tmp_path)], position)
    for _ in range(5):
        first.step()
    asyncio.run(first.source.confirm(first.source.position()))
    second = Reader([pattern(tmp_path)], position)
    again = second.read()
    assert set(uuids(first.lines) + again) == set(one.written + other.written)
    assert len(again) < 600


def test_a_file_that_comes_later_is_found_by_the_pattern(tmp_path: Path) -> None:
    (one,) = agents(tmp_path, "a")
    one.write(1)
    reader = Reader([pattern(tmp_path)])
    assert reader.read() == ["a-0"]
    (other,) = agents(tmp_path, "b")
    other.write(1)
    reader.now += 2
    assert reader.read() == ["b-0"]
    assert reader.source.counts.files == 2


def test_rotated_files_are_not_followed_for_themselves(tmp_path: Path) -> None:
    (one,) = agents(tmp_path, "a")
    one.write(1)
    one.rotate()
    one.write(1)
    reader = Reader([pattern(tmp_path)])
    assert reader.read() == ["a-0", "a-1"]
    assert reader.source.counts.files == 1


def test_a_file_of_a_pattern_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    one, other = agents(tmp_path, "a", "b")
    one.write(1)
    other.write(1)
    reader = Reader([pattern(tmp_path)])
    reader.read()
    other.path.unlink()
    reader.read()
    reader.now += 2
    reader.read()
    assert reader.source.counts.waiting == 1
    reader.now += GONE_AFTER_SECONDS + 1
    reader.read()
    assert reader.source.counts.files == 1
    assert reader.source.counts.waiting == 0
    assert list(reader.source.position()) == [str(one.path)]


def test_a_file_of_a_pattern_that_cannot_be_read_for_long_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path / "events.log")
    agent.write(3)
    reader = Reader([str(tmp_path / "*.log")], begin="newest")
    assert reader.read() == []
    agent.write(2)
    assert reader.read() == agent.written[3:]

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as refused:
        refused.setattr(OpenedGeneration, "read", refuse)
        refused.setattr(follower, "generations", refuse)
        for _ in range(100):
            assert reader.step() is None
            reader.now += 1
            agent.write(1)
    assert reader.read() == agent.written[5:]


def test_more_files_than_are_followed_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_FILES", 2)
    for one in agents(tmp_path, "a", "b", "c"):
        one.write(1)
    reader = Reader([pattern(tmp_path)])
    assert reader.read() == ["a-0", "b-0"]
    assert reader.source.counts.refused_files == 1


def settings(*files: Path, **others: object) -> FollowSettings:
    return FollowSettings.model_validate(
        {"files": [str(file) for file in files], "poll_seconds": 0.05, **others}
    )


async def batches_until(source: FollowedFiles, count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(30):
        async for lines in source.batches():
            found += uuids(lines)
            if len(found) >= count:
                source.close()
    return found


async def test_time_goes_on_by_the_clock_while_files_are_silent_and_stands_while_one_is_away(
    tmp_path: Path,
) -> None:
    one, other = agents(tmp_path, "a", "b")
    one.write(1)
    clock = [5_000_000_000_000]
    source = FollowedFiles(settings(one.path, other.path, delay_seconds=2), print, lambda: clock[0])
    batches = source.batches()
    assert uuids(await anext(batches)) == ["a-0"]
    assert await anext(batches) == []
    assert await anext(batches) == []
    assert source.complete_through_ns == 0
    other.write(1)
    assert uuids(await anext(batches)) == ["b-0"]
    assert await anext(batches) == []
    assert await anext(batches) == []
    assert source.complete_through_ns == clock[0] - 2_000_000_000
    clock[0] += 60_000_000_000
    assert await anext(batches) == []
    assert await anext(batches) == []
    assert source.complete_through_ns == clock[0] - 2_000_000_000
    await batches.aclose()


async def test_a_batch_counts_as_taken_only_when_the_next_is_asked_for(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "events.log")
    agent.write(2)
    source = FollowedFiles(settings(agent.path), print)
    batches = source.batches()
    assert uuids(await anext(batches)) == ["0", "1"]
    assert source.position() == {}
    await anext(batches)
    (place,) = source.position().values()
    assert place.offset == agent.path.stat().st_size
    await batches.aclose()


async def test_closing_ends_the_batches(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "events.log")
    agent.write(3)
    source = FollowedFiles(settings(agent.path), print)
    assert await batches_until(source, 3) == ["0", "1", "2"]


def test_a_long_file_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    line = flow(padding="x" * 1_000) + b"\n"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(line * 100)
    reader = Reader([str(path)])
    tracemalloc.start()
    count = 0
    while (given := reader.step()) is not None:
        count += given
        reader.lines.clear()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2 << 20


def test_a_line_without_end_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_bytes(b"x" * (4 << 20))
    reader = Reader([str(path)])
    tracemalloc.start()
    reader.read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 << 20
    with path.open("ab") as file:
        file.write(b"\n" + flow(uuid="after") + b"\n")
    assert reader.read() == ["after"]
    assert [one.reason for one in reader.rejects] == ["too-long"]  # type: ignore[attr-defined]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.touch(0)
    with pytest.raises(ConfigurationError, match=r"events\.log: Permission denied"):
        FollowedFiles(settings(path), print)


def test_a_file_whose_opening_is_refused_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.log"
    path.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigurationError, match="Permission denied; the agent writes it as root"):
        FollowedFiles(settings(path), print)


def test_a_directory_or_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory"):
        FollowedFiles(settings(tmp_path), print)
    os.mkfifo(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(ConfigurationError, match="no regular file"):
        FollowedFiles(settings(tmp_path / "pipe"), print)
