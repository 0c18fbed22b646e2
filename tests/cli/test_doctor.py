from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from hubblewatch.cli import main


def test_without_any_address_it_passes_and_says_what_is_not_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "hubble.address is not set" in told
    assert told.splitlines()[-1] == "2 pass, 17 skip"


def test_json_has_every_check_with_its_four_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"pass": 2, "skip": 17}
    assert len(report["checks"]) == 19
    assert {tuple(check) for check in report["checks"]} == {("id", "status", "detail", "remedy")}


def test_a_failed_check_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("HUBBLEWATCH_HUBBLE__ADDRESS", nobody)
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS", nobody)
    assert main(["doctor", "--json", "--url", f"http://{nobody}", "--namespace", "shop"]) == 1
    report = json.loads(capsys.readouterr().out)
    broken = [check["id"] for check in report["checks"] if check["status"] == "fail"]
    assert broken == ["hubble.connection", "kafka.connection", "service.health"]
    assert report["namespace"]["namespace"] == "shop"
    assert [note.partition(":")[0] for note in report["namespace"]["notes"]] == [
        "no flows",
        "no incidents from the service",
        "no windows",
        "no incidents",
    ]


def test_wrong_settings_are_exit_code_2_and_in_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("kafka:\n  partitions: none\n")
    assert main(["doctor", "--json", "--config", str(config)]) == 2
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert check["status"] == "fail"
    assert "kafka.partitions" in check["detail"]


def test_a_wrong_url_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--url", "localhost"]) == 2
    assert "--url" in capsys.readouterr().err
