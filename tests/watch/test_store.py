"""The file of the state: whole or refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.watch.watching import ABOUT

from hubblewatch.errors import ConfigurationError
from hubblewatch.watch.store import About, StateFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def test_what_was_written_is_there_again_and_what_was_deleted_is_not(path: Path) -> None:
    with StateFile(path, ABOUT) as store:
        assert store.records() == []
        assert store.commit([(b"a", b"1"), (b"b", b"2")])
        assert store.commit([(b"a", b"3"), (b"b", None)])
    with StateFile(path, ABOUT) as store:
        assert store.records() == [(b"a", b"3")]


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 999]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"state\.sqlite cannot be used: .*move this one"):
        StateFile(path, ABOUT)
    assert path.read_bytes() == content


def test_a_damaged_file_is_refused(path: Path) -> None:
    with StateFile(path, ABOUT) as store:
        store.commit([(f"{n}".encode(), bytes(500)) for n in range(200)])
    damaged = bytearray(path.read_bytes())
    damaged[8_192:16_384] = bytes(range(256)) * 32
    path.write_bytes(damaged)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        StateFile(path, ABOUT)


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    with pytest.raises(ConfigurationError, match="database of something else"):
        StateFile(path, ABOUT)


def test_a_state_of_a_newer_version_is_refused(path: Path) -> None:
    StateFile(path, ABOUT).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigurationError, match="newer hubblewatch"):
        StateFile(path, ABOUT)


@pytest.mark.parametrize("about", [About("other", 60), About("default", 30)])
def test_a_state_of_other_windows_is_refused(path: Path, about: About) -> None:
    StateFile(path, ABOUT).close()
    with pytest.raises(ConfigurationError, match="name another file"):
        StateFile(path, about)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        StateFile(tmp_path / "missing" / "state", ABOUT)


def test_two_processes_cannot_have_one_state(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubblewatch.watch.store.LOCK_SECONDS", 0.1)
    with StateFile(path, ABOUT), pytest.raises(ConfigurationError, match="in use by another"):
        StateFile(path, ABOUT)


def test_what_could_not_be_written_goes_along_with_the_next(path: Path) -> None:
    with StateFile(path, ABOUT) as store:
        store._connection.execute("PRAGMA query_only = 1")
        assert not store.commit([(b"a", b"1"), (b"b", b"1")])
        assert store.failures == 1
        store._connection.execute("PRAGMA query_only = 0")
        assert store.commit([(b"b", b"2")])
        assert sorted(store.records()) == [(b"a", b"1"), (b"b", b"2")]
