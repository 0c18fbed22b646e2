"""A restart goes on where Kafka has everything, and never fails for the file's sake."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.resumption import Reached, Resumption

S = 1_000_000_000
NOW = 1_700_000_000 * S


def resumption(path: Path, address: str = "relay:80", seconds: int = 600) -> Resumption:
    settings = HubbleSettings(address=address, overlap_seconds=10)
    return Resumption(path / "position.json", settings, seconds)


def test_without_a_file_it_begins_with_now(tmp_path: Path) -> None:
    first = resumption(tmp_path)
    assert first.begin(NOW) == Reached(NOW, {})
    assert not first.goes_on


def test_what_ends_before_anything_arrived_is_begun_again_where_it_began(tmp_path: Path) -> None:
    resumption(tmp_path).begin(NOW)
    assert resumption(tmp_path).begin(NOW + 60 * S) == Reached(NOW - 10 * S, {})


def test_it_begins_an_overlap_before_what_kafka_has(tmp_path: Path) -> None:
    resumption(tmp_path).write(Reached(NOW - 60 * S, {"busy": 5.0, "idle": 0.1}))
    again = resumption(tmp_path)
    assert again.begin(NOW) == Reached(NOW - 70 * S, {"busy": 5.0})
    assert again.goes_on


def test_it_goes_back_no_further_than_it_may(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    resumption(tmp_path).write(Reached(NOW - 3_600 * S, {"busy": 5.0}))
    again = resumption(tmp_path)
    assert again.begin(NOW) == Reached(NOW - 600 * S, {})
    assert not again.goes_on
    assert "not asked for" in caplog.text


@pytest.mark.parametrize(
    "content", [b"", b"no json", b'{"version": 9, "address": "relay:80", "acknowledged_ns": 5}']
)
def test_a_file_that_cannot_be_used_is_passed_by(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "position.json").write_bytes(content)
    assert resumption(tmp_path).begin(NOW) == Reached(NOW, {})


def test_another_hubble_has_another_position(tmp_path: Path) -> None:
    resumption(tmp_path).write(Reached(NOW - 60 * S, {}))
    assert resumption(tmp_path, "other:80").begin(NOW) == Reached(NOW, {})


def test_a_position_in_the_future_is_not_believed(tmp_path: Path) -> None:
    resumption(tmp_path).write(Reached(NOW + 60 * S, {}))
    assert resumption(tmp_path).begin(NOW) == Reached(NOW, {})


def test_a_directory_that_is_gone_is_counted(tmp_path: Path) -> None:
    one = resumption(tmp_path / "gone")
    one.write(Reached(NOW, {}))
    one.write(Reached(NOW + 1, {}))
    assert one.failures == 2
