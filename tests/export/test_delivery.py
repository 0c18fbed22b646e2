"""Which exports have a spool."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.export.test_exporter import TOPICS

from hubblewatch.export.delivery import delivery, resumption
from hubblewatch.kafka.publisher import Publisher
from hubblewatch.kafka.spool.publisher import SpoolingPublisher
from hubblewatch.settings import ExportSettings, Settings, SpoolSettings


def with_spool(directory: Path | None, resume_seconds: int = 600) -> Settings:
    spool = SpoolSettings(directory=directory, resume_seconds=resume_seconds)
    return Settings(export=ExportSettings(spool=spool))


async def test_a_live_export_spools_once_a_directory_is_named(tmp_path: Path) -> None:
    made = delivery(with_spool(tmp_path / "spool"), TOPICS, 3, can_wait=False)
    assert isinstance(made.publisher, SpoolingPublisher)
    made.publisher.spool.close()


async def test_what_can_wait_has_no_spool(tmp_path: Path) -> None:
    made = delivery(with_spool(tmp_path / "spool"), TOPICS, 3, can_wait=True)
    assert isinstance(made.publisher, Publisher)
    assert made.spool is None
    assert not (tmp_path / "spool").exists()


async def test_a_directory_that_cannot_be_used_is_told_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    made = delivery(with_spool(tmp_path / "file" / "spool"), TOPICS, 3, can_wait=False)
    assert isinstance(made.publisher, Publisher)
    assert made.spool is not None
    assert made.spool.failures == 1
    assert "going on without a spool" in caplog.text


def test_a_place_is_remembered_only_beside_a_spool(tmp_path: Path) -> None:
    assert resumption(with_spool(None)) is None
    assert resumption(with_spool(tmp_path, resume_seconds=0)) is None
    assert resumption(with_spool(tmp_path)) is not None
