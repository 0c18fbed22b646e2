"""The position file is whole, and its troubles are told."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from tests.source.export_file.agent import Agent, Reader

from hubblewatch.errors import ConfigurationError
from hubblewatch.source.export_file.generation import Head
from hubblewatch.source.export_file.position import Place, PositionFile


def place(offset: int) -> Place:
    return Place(7, Head(offset, "ab"), offset, 3, 9_000_000_000, 2.5, "node-a")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "position")
    assert file.read() == {}
    file.write({"/a": place(1), "/b": place(2)}, 1)
    assert PositionFile(tmp_path / "position").read() == {"/a": place(1), "/b": place(2)}
    assert stat.S_IMODE((tmp_path / "position").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["position"]


def test_an_earlier_position_does_not_replace_a_later_one(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "position")
    file.write({"/a": place(2)}, 2)
    file.write({"/a": place(1)}, 1)
    assert file.read() == {"/a": place(2)}


def test_a_write_that_breaks_off_leaves_the_position_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PositionFile(tmp_path / "position")
    file.write({"/a": place(1)}, 1)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        file.write({"/a": place(2)}, 2)
    assert file.read() == {"/a": place(1)}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version":1,"files":{"/a":{}}}', "\xff"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "position"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigurationError, match="is no position file"):
        PositionFile(path).read()
    assert path.read_text(encoding="latin-1") == text


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "position"
    path.write_text('{"version":2,"files":{}}')
    with pytest.raises(ConfigurationError, match="another version"):
        PositionFile(path).read()


def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write the position file"):
        Reader([str(tmp_path / "events.log")], tmp_path / "none" / "position")


def test_a_position_that_cannot_be_written_later_is_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kept").mkdir()
    agent = Agent(tmp_path / "events.log")
    reader = Reader([str(agent.path)], tmp_path / "kept" / "position")
    (tmp_path / "kept" / "position").unlink()
    (tmp_path / "kept").rmdir()
    for _ in range(3):
        agent.write(1)
        reader.read()
        asyncio.run(reader.source.confirm(reader.source.position()))
    assert reader.source.counts.position_failures == 3
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "kept").mkdir()
    asyncio.run(reader.source.confirm(reader.source.position()))
    assert Reader([str(agent.path)], tmp_path / "kept" / "position").read() == []
