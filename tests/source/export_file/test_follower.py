"""Every line of an export file once, in order, over rotations, truncations and restarts."""

from __future__ import annotations

import asyncio
import bz2
import errno
import gzip
import io
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import zstandard
from tests.source.export_file.agent import Agent, Reader, losses, packed, uuids

from hubblewatch.source.export_file.follower import Follower
from hubblewatch.source.export_file.opened import OpenedGeneration


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path / "events.log")


@pytest.fixture
def position(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "position.json"


def remember(reader: Reader) -> None:
    """What was read has arrived in Kafka."""
    asyncio.run(reader.source.confirm(reader.source.position()))


def test_lines_are_given_as_they_are_written(agent: Agent) -> None:
    agent.write(3)
    reader = Reader([str(agent.path)])
    assert reader.read() == ["0", "1", "2"]
    assert reader.read() == []
    agent.write(2)
    assert reader.read() == ["3", "4"]


def test_a_line_that_is_not_finished_waits_for_its_rest(agent: Agent) -> None:
    agent.write(1)
    text = agent.lines(1)
    agent.append(text[:100])
    reader = Reader([str(agent.path)])
    assert reader.read() == ["0"]
    agent.append(text[100:-1])
    assert reader.read() == []
    agent.append(text[-1:])
    assert reader.read() == ["1"]
    assert not reader.rejects


def test_an_unfinished_line_is_not_part_of_the_position(agent: Agent, position: Path) -> None:
    agent.write(1)
    text = agent.lines(1)
    agent.append(text[:100])
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    agent.append(text[100:])
    assert Reader([str(agent.path)], position).read() == ["1"]


def test_the_old_file_is_finished_before_the_new_one(agent: Agent) -> None:
    agent.write(2)
    reader = Reader([str(agent.path)])
    reader.read()
    agent.write(2)
    agent.rotate()
    agent.write(2)
    assert reader.read() == ["2", "3", "4", "5"]
    assert reader.source.counts.gaps == 0
    assert reader.source.counts.rotations == 1


def test_several_rotations_between_two_looks_lose_nothing(agent: Agent) -> None:
    agent.write(2)
    reader = Reader([str(agent.path)])
    reader.read()
    for number in range(5):
        agent.write(3)
        agent.rotate(is_packed=number % 2 == 0)
    agent.write(1)
    assert reader.read() == agent.written[2:]
    assert reader.source.counts.gaps == 0


def test_a_file_that_is_compressed_while_it_is_read_is_finished(agent: Agent) -> None:
    agent.write(300)
    reader = Reader([str(agent.path)])
    reader.step()
    assert 0 < len(reader.lines) < 300
    agent.rotate(is_packed=True)
    agent.write(1)
    reader.read()
    assert uuids(reader.lines) == agent.written
    assert reader.source.counts.gaps == 0


def test_rotated_files_are_read_first_compressed_or_not(agent: Agent) -> None:
    for number in range(4):
        agent.write(200)
        agent.rotate(is_packed=number < 2)
    agent.write(1)
    assert Reader([str(agent.path)]).read() == agent.written


def test_of_a_file_that_is_being_compressed_the_plain_one_is_read(agent: Agent) -> None:
    agent.write(5)
    rotated = agent.rotate()
    packed(rotated).write_bytes(gzip.compress(rotated.read_bytes())[:40])
    agent.write(1)
    assert Reader([str(agent.path)]).read() == agent.written


def test_with_begin_newest_only_what_comes_is_read(agent: Agent) -> None:
    agent.write(2)
    agent.rotate()
    agent.write(2)
    reader = Reader([str(agent.path)], begin="newest")
    assert reader.read() == []
    agent.write(1)
    agent.rotate()
    agent.write(1)
    assert reader.read() == ["4", "5"]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("rotations", [0, 1, 3])
def test_a_restart_goes_on_behind_the_last_line(
    agent: Agent, position: Path, rotations: int, is_packed: bool
) -> None:
    agent.write(150)
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    for _ in range(rotations):
        agent.write(70)
        agent.rotate(is_packed=is_packed)
    agent.write(5)
    second = Reader([str(agent.path)], position)
    assert second.read() == agent.written[150:]
    assert second.source.counts.gaps == 0


def test_what_has_not_arrived_is_read_again(agent: Agent, position: Path) -> None:
    agent.write(3)
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    agent.write(3)
    first.read()
    assert Reader([str(agent.path)], position).read() == ["3", "4", "5"]


def test_line_numbers_of_rejects_go_on_after_a_restart(agent: Agent, position: Path) -> None:
    agent.write(3)
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    agent.append(b"{broken\n")
    second = Reader([str(agent.path)], position)
    second.read()
    (reject,) = second.rejects
    assert reject.place.endswith("events.log:4")  # type: ignore[attr-defined]


def test_a_file_rotated_away_before_it_was_read_is_a_gap_in_its_place(
    agent: Agent, position: Path
) -> None:
    agent.write(600)
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    for _ in range(4):
        agent.write(100)
        agent.rotate(backups=2)
    agent.write(100)
    second = Reader([str(agent.path)], position)
    assert second.read() == agent.written[800:]
    lost = losses(second.lines)
    assert sum(int(one.lost_events.num_events_lost) for one in lost if one.lost_events) == (
        second.source.counts.lost
    )
    # Ten a second were usual, and twenty seconds are missing.
    assert second.source.counts.lost == pytest.approx(200, rel=0.02)
    assert {one.node_name for one in lost} == {"node-a"}
    assert {one.lost_events.source for one in lost if one.lost_events} == {"stream-gap"}
    assert second.source.counts.gaps == 1
    assert second.lines[: len(lost)] == lost


def test_an_inode_that_is_used_again_is_not_taken_for_the_old_file(
    agent: Agent, position: Path
) -> None:
    agent.write(10)
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    # The same inode, other lines, and more of them.
    with agent.path.open("r+b") as file:
        file.truncate(0)
        file.write(agent.lines(20))
    second = Reader([str(agent.path)], position)
    assert second.read() == agent.written[10:]
    assert second.source.counts.gaps == 1


def test_a_file_that_is_cut_off_is_read_from_its_begin_and_marked(agent: Agent) -> None:
    agent.write(10)
    reader = Reader([str(agent.path)])
    reader.read()
    os.truncate(agent.path, 0)
    assert reader.read() == []
    agent.write(2)
    assert reader.read() == ["10", "11"]
    assert reader.source.counts.truncations == 1
    assert losses(reader.lines)


def test_a_file_that_is_cut_off_and_outgrows_what_it_was_is_noticed(agent: Agent) -> None:
    agent.write(10)
    reader = Reader([str(agent.path)])
    reader.read()
    os.truncate(agent.path, 0)
    agent.write(30)
    assert reader.read() == agent.written[10:]
    assert reader.source.counts.truncations == 1
    assert not reader.rejects


def test_a_file_that_is_cut_off_and_outgrows_it_before_it_was_read_is_noticed(agent: Agent) -> None:
    agent.write(400)
    reader = Reader([str(agent.path)])
    reader.step()
    read = len(reader.lines)
    assert 0 < read < 400
    os.truncate(agent.path, 0)
    agent.write(900)
    assert reader.read() == agent.written[400:]
    assert reader.source.counts.truncations == 1
    assert reader.source.counts.gaps == 1
    assert losses(reader.lines)
    assert not reader.rejects


def test_a_truncation_while_nobody_read_is_noticed(agent: Agent, position: Path) -> None:
    agent.write(30)
    text = agent.path.read_bytes()
    first = Reader([str(agent.path)], position)
    first.read()
    remember(first)
    # The same head, but shorter than what was read.
    agent.path.write_bytes(text[: len(text) // 2])
    second = Reader([str(agent.path)], position)
    second.read()
    assert second.source.counts.truncations == 1
    assert second.source.counts.gaps == 1


def test_a_damaged_rotated_file_is_read_as_far_as_it_goes_and_marked(agent: Agent) -> None:
    agent.write(400)
    rotated = agent.rotate(is_packed=True)
    whole = packed(rotated).read_bytes()
    packed(rotated).write_bytes(whole[: len(whole) // 2])
    agent.write(2)
    reader = Reader([str(agent.path)])
    got = reader.read()
    assert got[-2:] == ["400", "401"]
    assert got[:-2] == agent.written[: len(got) - 2]
    assert reader.source.counts.gaps == 1


def zipped(text: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("events.log", text)
    return archive.getvalue()


def read_past_a_rotation(agent: Agent, position: Path) -> Reader:
    """Read a rotated file of 200 lines and 100 of the one after it."""
    agent.write(200)
    agent.rotate()
    agent.write(100)
    reader = Reader([str(agent.path)], position)
    reader.read()
    return reader


@pytest.mark.parametrize(
    "spoilt",
    [
        zipped,
        lzma.compress,
        bz2.compress,
        lambda _: b"",
        lambda text: gzip.compress(text)[:1],
        lambda text: gzip.compress(text)[:10],
        lambda text: b"\x1f\x8b\xff" + gzip.compress(text)[3:],
        lambda text: b"\0" * len(text),
    ],
)
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_rotated_file_with_something_else_in_it_is_a_gap(
    agent: Agent,
    position: Path,
    spoilt: Callable[[bytes], bytes],
    is_restarted: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = read_past_a_rotation(agent, position)
    if is_restarted:
        remember(reader)
    else:
        agent.rotate()
    agent.write(100)
    text = agent.path.read_bytes()
    packed(agent.rotate(is_packed=True)).write_bytes(spoilt(text))
    agent.write(3)
    if is_restarted:
        reader = Reader([str(agent.path)], position)
    assert reader.read() == agent.written[-3:]
    # Ten a second were usual, and ten seconds are missing; nothing older is read again.
    assert reader.source.counts.gaps == 1
    assert reader.source.counts.lost == pytest.approx(100, rel=0.02)
    assert losses(reader.lines)
    spoken = [one for one in caplog.records if ".log.gz" in one.getMessage()]
    assert len(spoken) == 1


@pytest.mark.parametrize("repacked", [lambda text: text, zstandard.compress])
def test_a_rotated_file_that_is_packed_otherwise_is_read_where_that_is_known(
    agent: Agent, repacked: Callable[[bytes], bytes]
) -> None:
    agent.write(100)
    text = agent.path.read_bytes()
    packed(agent.rotate(is_packed=True)).write_bytes(repacked(text))
    agent.write(3)
    reader = Reader([str(agent.path)])
    assert reader.read() == agent.written
    assert reader.source.counts.gaps == 0


def test_half_a_line_before_damage_is_no_line(agent: Agent) -> None:
    agent.write(400)
    rotated = packed(agent.rotate(is_packed=True))
    rotated.write_bytes(rotated.read_bytes()[:-200])
    agent.write(1)
    reader = Reader([str(agent.path)])
    reader.read()
    assert reader.source.counts.gaps == 1
    assert not reader.rejects


def test_what_has_a_rotated_files_name_and_is_no_file_is_passed(agent: Agent) -> None:
    agent.write(1)
    os.mkfifo(agent.rotate().with_name("events-2026-03-02T10-00-00.000.log"))
    agent.write(1)
    assert Reader([str(agent.path)]).read() == agent.written


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_rotated_file_that_cannot_be_opened_is_waited_for_a_minute_and_is_a_gap_then(
    agent: Agent,
    position: Path,
    is_restarted: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = read_past_a_rotation(agent, position)
    remember(reader)
    if not is_restarted:
        agent.rotate()
    agent.write(100)
    locked = agent.rotate()
    agent.write(3)
    opening = Path.open

    def opened(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opening(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", opened)
    if is_restarted:
        reader = Reader([str(agent.path)], position)
    for _ in range(60):
        assert reader.read() == []
        reader.now += 1
    assert reader.source.counts.waiting == 1
    assert [one.getMessage() for one in caplog.records] == [
        f"waiting for {agent.path}: {locked.name}: Permission denied"
    ]
    for _ in range(2):
        reader.now += 1
        reader.read()
    assert uuids(reader.lines)[-3:] == agent.written[-3:]
    assert reader.source.counts.gaps == 1
    assert reader.source.counts.lost == pytest.approx(100, rel=0.02)
    assert f"{locked} is left out" in caplog.text
    reader.source.look(reader.now)
    assert reader.source.counts.waiting == 0


OTHER_NAMES = [".{}", "-{}", ".{}-101112"]
"""Of logrotate, of the same with ``dateext``, and of the kubelet."""


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("rotations", [1, 2, 4])
@pytest.mark.parametrize("form", OTHER_NAMES)
def test_files_that_others_rotate_are_read_on_without_a_gap(
    agent: Agent, position: Path, form: str, rotations: int, is_packed: bool, is_restarted: bool
) -> None:
    agent.write(5)
    agent.rename(form)
    agent.write(20)
    reader = Reader([str(agent.path)], position)
    assert reader.read() == agent.written[5:]
    remember(reader)
    for _ in range(rotations):
        agent.write(7)
        agent.rename(form, is_packed)
    agent.write(3)
    if is_restarted:
        reader = Reader([str(agent.path)], position)
    assert reader.read() == agent.written[25:]
    assert reader.source.counts.gaps == 0


@pytest.mark.parametrize("form", OTHER_NAMES)
def test_files_that_others_rotated_and_removed_unread_are_a_gap(agent: Agent, form: str) -> None:
    agent.write(50)
    reader = Reader([str(agent.path)])
    reader.read()
    for _ in range(2):
        agent.write(50)
        agent.rename(form)
    for old in agent.path.parent.glob("events.log[.-]*"):
        old.unlink()
    agent.write(3)
    assert reader.read() == [*agent.written[50:100], *agent.written[-3:]]
    assert reader.source.counts.gaps == 1
    assert reader.source.counts.lost == pytest.approx(50, rel=0.05)


@pytest.mark.parametrize("form", OTHER_NAMES)
def test_rotation_by_others_in_the_middle_of_a_look_loses_nothing(
    agent: Agent, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.write(3)
    agent.rename(form)
    agent.write(3)
    reader = Reader([str(agent.path)])
    reader.read()
    agent.rename(form)
    agent.write(2)
    opening = Follower._open

    def rotated_meanwhile(self: Follower, *arguments: Any) -> OpenedGeneration:
        monkeypatch.setattr(Follower, "_open", opening)
        agent.rename(form)
        agent.write(2)
        return opening(self, *arguments)

    monkeypatch.setattr(Follower, "_open", rotated_meanwhile)
    reader.read()
    assert uuids(reader.lines) == agent.written[3:]
    assert reader.source.counts.gaps == 0


def test_a_file_that_is_not_there_yet_is_waited_for_with_one_line_of_log(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader([str(agent.path)])
    for _ in range(5):
        assert reader.read() == []
    assert caplog.text.count("waiting for") == 1
    agent.write(1)
    assert reader.read() == ["0"]


def test_a_directory_that_vanishes_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "hubble"
    folder.mkdir()
    agent = Agent(folder / "events.log")
    agent.write(2)
    reader = Reader([str(agent.path)])
    reader.read()
    agent.path.unlink()
    folder.rmdir()
    assert reader.read() == []
    reader.now += 2
    reader.step()
    assert reader.source.counts.waiting == 1
    folder.mkdir()
    agent.write(2)
    assert reader.read() == ["2", "3"]


def test_what_is_written_to_a_removed_file_is_read_until_there_is_another(agent: Agent) -> None:
    agent.write(1)
    reader = Reader([str(agent.path)])
    reader.read()
    with agent.path.open("ab") as file:
        agent.path.unlink()
        assert reader.read() == []
        file.write(agent.lines(1))
    assert reader.read() == ["1"]
    agent.write(1)
    assert reader.read() == ["2"]


def test_a_file_that_cannot_be_read_for_a_while_is_read_on_then(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agent.write(3)
    agent.rotate()
    agent.write(3)
    reader = Reader([str(agent.path)])
    got = reader.read()
    agent.write(3)

    def fail(_: OpenedGeneration) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(OpenedGeneration, "read", fail)
        for _ in range(3):
            assert reader.step() is None
        reader.source.look(reader.now)
        assert reader.source.counts.waiting == 1
    assert len(caplog.records) == 1
    assert "Input/output error" in caplog.text
    agent.write(2)
    got += reader.read()
    reader.source.look(reader.now)
    assert got == agent.written
    assert reader.source.counts.waiting == reader.source.counts.gaps == 0


def test_a_link_leads_to_the_rotated_files_beside_its_target(agent: Agent, position: Path) -> None:
    folder = agent.path.parent / "links"
    folder.mkdir()
    link = folder / agent.path.name
    link.symlink_to(agent.path)
    agent.write(3)
    first = Reader([str(link)], position)
    got = first.read()
    agent.write(2)
    agent.rotate()
    agent.write(2)
    agent.rotate(is_packed=True)
    agent.write(2)
    got += first.read()
    remember(first)
    agent.write(2)
    agent.rotate()
    agent.write(2)
    second = Reader([str(link)], position)
    assert got + second.read() == agent.written
    assert first.source.counts.gaps == second.source.counts.gaps == 0


def test_links_in_a_circle_are_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "flows.log"
    agent = Agent(path)
    agent.write(2)
    reader = Reader([str(path)])
    reader.read()
    path.unlink()
    path.symlink_to(path)
    assert reader.read() == []
    assert reader.source.counts.gaps == 0


def test_a_rotated_last_line_without_newline_counts(agent: Agent) -> None:
    agent.append(agent.lines(2)[:-1])
    reader = Reader([str(agent.path)])
    assert reader.read() == ["0"]
    agent.rotate()
    agent.write(1)
    assert reader.read() == ["1", "2"]


def test_bytes_behind_count_what_is_not_read_of_all_generations(agent: Agent) -> None:
    agent.write(300)
    first = agent.path.stat().st_size
    agent.rotate()
    agent.write(10)
    second = agent.path.stat().st_size
    reader = Reader([str(agent.path)])
    reader.step()
    behind = reader.source.behind_bytes()
    assert second < behind < first + second
    reader.read()
    assert reader.source.behind_bytes() == 0


def test_an_empty_rotated_file_is_passed(agent: Agent) -> None:
    agent.write(1)
    reader = Reader([str(agent.path)])
    reader.read()
    agent.rotate()
    assert reader.read() == []
    agent.rotate()
    agent.rotate()
    agent.write(1)
    assert reader.read() == ["1"]
    assert reader.source.counts.gaps == 0


def test_rotation_in_the_middle_of_a_look_loses_nothing(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.write(3)
    reader = Reader([str(agent.path)])
    opening = Follower._open_of

    def rotated_meanwhile(self: Follower, listing: list[object]) -> object:
        monkeypatch.setattr(Follower, "_open_of", opening)
        agent.rotate()
        agent.write(2)
        return opening(self, listing)  # type: ignore[arg-type]

    monkeypatch.setattr(Follower, "_open_of", rotated_meanwhile)
    assert reader.read() == agent.written
