from __future__ import annotations

from pathlib import Path

import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.suppressions_file import CHECK_SECONDS, SuppressionsFile

ENTRY = "- name: {}\n  namespace: shop\n  expires: never\n  owner: me\n  reason: known\n"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def names(file: SuppressionsFile) -> list[str]:
    return [entry.name for entry in file.current().entries]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "suppressions.yaml"
    path.write_text(ENTRY.format("one"))
    return path


def test_a_change_counts_once_a_second_has_passed(path: Path) -> None:
    clock = Clock()
    file = SuppressionsFile(path, clock)
    path.write_text(ENTRY.format("another"))
    assert names(file) == ["one"]
    clock.now += CHECK_SECONDS
    assert names(file) == ["another"]


def test_a_link_that_is_swapped_counts(path: Path, tmp_path: Path) -> None:
    clock = Clock()
    link = tmp_path / "link"
    link.symlink_to(path)
    file = SuppressionsFile(link, clock)
    second = tmp_path / "second.yaml"
    second.write_text(ENTRY.format("two"))
    fresh = tmp_path / "fresh"
    fresh.symlink_to(second)
    fresh.replace(link)
    clock.now += CHECK_SECONDS
    assert names(file) == ["two"]


def test_a_wrong_list_leaves_the_former_in_force_and_is_logged(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    file = SuppressionsFile(path, clock)
    path.write_text("- name: broken\n")
    clock.now += CHECK_SECONDS
    assert names(file) == ["one"]
    assert file.failures == 1
    assert "entry 'broken': has no owner" in caplog.text


def test_a_wrong_list_is_complained_of_once(path: Path) -> None:
    clock = Clock()
    file = SuppressionsFile(path, clock)
    path.write_text("- name: broken\n")
    for _ in range(5):
        clock.now += CHECK_SECONDS
        file.current()
    assert file.failures == 1


def test_a_vanished_file_leaves_the_former_list_until_it_is_back(path: Path) -> None:
    clock = Clock()
    file = SuppressionsFile(path, clock)
    path.unlink()
    clock.now += CHECK_SECONDS
    assert names(file) == ["one"]
    path.write_text(ENTRY.format("back"))
    clock.now += CHECK_SECONDS
    assert names(file) == ["back"]


def test_what_is_wrong_at_the_start_stops_it(path: Path, tmp_path: Path) -> None:
    path.write_text("- name: broken\n")
    with pytest.raises(ConfigurationError, match="has no owner"):
        SuppressionsFile(path, Clock())
    with pytest.raises(ConfigurationError, match="no file that can be read"):
        SuppressionsFile(tmp_path / "absent.yaml", Clock())


def test_bytes_that_are_no_text_are_a_wrong_list(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError):
        SuppressionsFile(path, Clock())
