"""Settings, model and suppressions: what needs nobody else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hubblewatch.doctor.configuration import check_configuration
from hubblewatch.doctor.model import check_model
from hubblewatch.doctor.result import Status
from hubblewatch.doctor.suppressions import check_suppressions
from hubblewatch.model.store import shipped_model
from hubblewatch.settings import ModelSettings, Settings

NOW = 1_800_000_000

ENTRY = """\
- name: {name}
  owner: net
  reason: known
  detector: port-scan
  expires: {expires}
"""


def test_file_and_variables_are_named_and_values_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("cluster: blue\n")
    variables = {
        "HUBBLEWATCH_KAFKA__SECURITY__PASSWORD": "hunter2",
        "HUBBLEWATCH_KAFKA__SECURITY__USERNAME": "alice",
        "HUBBLEWATCH_KAFKA__SECURITY__PROTOCOL": "SASL_PLAINTEXT",
        "HUBBLEWATCH_SERVICE_HOST": "10.0.0.1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings, result = check_configuration(config, variables)
    assert settings is not None
    assert settings.cluster == "blue"
    assert result.status is Status.PASS
    assert str(config) in result.detail
    assert "HUBBLEWATCH_KAFKA__SECURITY__PASSWORD" in result.detail
    assert "HUBBLEWATCH_SERVICE_HOST" not in result.detail
    assert "hunter2" not in result.detail


def test_a_wrong_field_fails_and_is_named(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("window:\n  size_secnds: 60\n")
    settings, result = check_configuration(config, {})
    assert settings is None
    assert result.status is Status.FAIL
    assert "window.size_seconds" in result.detail


def test_the_shipped_model_passes() -> None:
    result = check_model(Settings())
    assert result.status is Status.PASS
    assert "12 features fit" in result.detail
    assert "the shipped one" in result.detail


def test_a_model_whose_file_was_changed_fails_with_what_to_do(tmp_path: Path) -> None:
    shipped = shipped_model()
    assert shipped is not None
    copy = tmp_path / "model"
    shutil.copytree(shipped, copy)
    forest = next(file for file in copy.iterdir() if file.suffix not in (".json", ".md"))
    forest.write_bytes(b"x" + forest.read_bytes()[1:])
    result = check_model(Settings(model=ModelSettings(path=copy)))
    assert result.status is Status.FAIL
    assert "other hash" in result.detail
    assert "copy the whole directory again" in result.remedy


def test_a_model_that_is_off_is_skipped() -> None:
    result = check_model(Settings(model=ModelSettings(enabled=False)))
    assert result.status is Status.SKIP


def test_without_suppressions_the_check_is_skipped() -> None:
    assert check_suppressions(Settings(), NOW).status is Status.SKIP


def suppressing(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "suppressions.yaml"
    path.write_text(text)
    return Settings(suppressions=path)


def test_suppressions_in_force_pass(tmp_path: Path) -> None:
    settings = suppressing(tmp_path, ENTRY.format(name="scanner", expires="2099-01-01"))
    result = check_suppressions(settings, NOW)
    assert (result.status, result.detail.split(" in ")[0]) == (Status.PASS, "1 entry")


def test_an_expired_suppression_warns_with_its_name(tmp_path: Path) -> None:
    text = ENTRY.format(name="old", expires="2020-01-01") + ENTRY.format(
        name="new", expires="never"
    )
    result = check_suppressions(suppressing(tmp_path, text), NOW)
    assert result.status is Status.WARN
    assert "2 entries" in result.detail
    assert "1 expired: old" in result.detail


def test_a_list_that_is_wrong_fails(tmp_path: Path) -> None:
    result = check_suppressions(suppressing(tmp_path, "- name: alone\n"), NOW)
    assert result.status is Status.FAIL
    assert "line 1" in result.detail


def test_a_missing_file_fails(tmp_path: Path) -> None:
    result = check_suppressions(Settings(suppressions=tmp_path / "none"), NOW)
    assert result.status is Status.FAIL
