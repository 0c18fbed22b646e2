"""A replay with the forest: found, on trial, compared, refused."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.replay.alerting import alert

from hubblewatch.alert.record import AlertStatus
from hubblewatch.cli import main
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.model.manifest import MANIFEST_FILE
from hubblewatch.model.store import shipped_model
from hubblewatch.replay.comparison import Comparison
from hubblewatch.replay.incident_log import IncidentLog
from hubblewatch.replay.run import Replay


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of slow gathering."""
    path = tmp_path_factory.mktemp("staging") / "staging.jsonl"
    code = main([
        "simulate", "--seed", "3001", "--minutes", "45", "--rate", "3", "--vantage", "source",
        "--scenario", "data-staging:at=30", "--out", str(path),
    ])  # fmt: skip
    assert code == 0
    return path


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the other detectors off: they hold the forest back where they say the same."""
    others = {
        field.alias: {"enabled": False}
        for name, field in DetectorSettings.model_fields.items()
        if name != "isolation_forest"
    }
    config = tmp_path / "alone.yaml"
    config.write_text(json.dumps({"detectors": others}))
    monkeypatch.setenv("HUBBLEWATCH_CONFIG", str(config))


def replayed(
    capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[dict[str, object]]]:
    """Exit code and the alert records that opened."""
    code = main(["replay", "--json", *arguments])
    lines = capsys.readouterr().out.splitlines()
    records = [json.loads(line) for line in lines]
    return code, [record for record in records if record["transition"] == "open"]


def test_the_shipped_model_finds_it_by_itself(
    staging: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, alerts = replayed(capsys, str(staging), "--fail-on", "warning")
    (found,) = alerts
    assert code == 3
    assert str(found["model"]).startswith("default@")
    assert not found["shadow"]
    assert isinstance(found["reasons"], list)
    assert len(found["reasons"]) >= 2


def test_a_second_replay_gives_the_same_records(
    staging: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replayed(capsys, str(staging)) == replayed(capsys, str(staging))


def test_on_trial_it_is_marked_and_fails_nothing(
    staging: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBLEWATCH_MODEL__SHADOW", "true")
    code, alerts = replayed(capsys, str(staging), "--fail-on", "warning")
    (found,) = alerts
    assert found["shadow"]
    assert code == 0


def test_switched_off_it_finds_nothing(
    staging: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBLEWATCH_MODEL__ENABLED", "false")
    _, alerts = replayed(capsys, str(staging))
    assert alerts == []


def test_a_comparison_shows_what_a_stricter_model_would_no_longer_say(
    staging: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shipped = shipped_model()
    assert shipped is not None
    strict = tmp_path / "strict"
    shutil.copytree(shipped, strict)
    path = strict / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"name": "strict", "threshold": 0.99}))
    assert main(["replay", str(staging), "--compare", str(strict)]) == 0
    shown = capsys.readouterr().out
    assert "With the model strict@" in shown
    assert "1 would go, 0 would come" in shown


@pytest.fixture
def second_pass(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Replay], None]]:
    """What is put in here happens when the second pass of a comparison begins."""
    happening: list[Callable[[Replay], None]] = []
    run, passes = Replay.run, []

    def observed(replay: Replay, *arguments: Any) -> None:
        passes.append(replay)
        if len(passes) == 2:
            for happen in happening:
                happen(replay)
        run(replay, *arguments)

    monkeypatch.setattr(Replay, "run", observed)
    return happening


@pytest.mark.parametrize("arguments", [[], ["--listen", "127.0.0.1:0"]])
def test_a_comparison_that_is_interrupted_says_nothing_of_the_other_model(
    staging: Path,
    capsys: pytest.CaptureFixture[str],
    second_pass: list[Callable[[Replay], None]],
    arguments: list[str],
) -> None:
    def stopped_in_the_middle(replay: Replay) -> None:
        take = replay.pipeline.take

        def take_and_stop(lines: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            replay.pipeline.take = take  # type: ignore[method-assign]
            return take(lines)

        replay.pipeline.take = take_and_stop  # type: ignore[method-assign]

    second_pass.append(stopped_in_the_middle)
    compare = ["--compare", str(shipped_model()), "--quiet", *arguments]
    assert main(["replay", str(staging), *compare]) == ExitCode.INTERRUPTED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "interrupted: nothing was compared" in printed.err
    assert "still serving" not in printed.err


def test_damage_that_only_the_second_pass_meets_is_told_and_fails(
    staging: Path,
    capsys: pytest.CaptureFixture[str],
    second_pass: list[Callable[[Replay], None]],
    tmp_path: Path,
) -> None:
    recording = tmp_path / "a.jsonl.gz"
    packed = gzip.compress(staging.read_bytes())
    recording.write_bytes(packed)
    second_pass.append(lambda _: _put(recording, packed[: len(packed) // 2]))
    compare = ["--compare", str(shipped_model()), "--quiet"]
    assert main(["replay", str(recording), *compare]) == ExitCode.FAILED
    assert "its gzip data ends early" in capsys.readouterr().err


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_a_model_that_does_not_fit_stops_the_start(
    staging: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["replay", str(staging), "--model", str(tmp_path)]) == 2
    assert "hubblewatch train" in capsys.readouterr().err


def test_standard_input_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = shipped_model()
    assert main(["replay", "-", "--compare", str(shipped)]) == 2
    assert "reads the recordings twice" in capsys.readouterr().err


def test_a_model_of_the_settings_that_does_not_fit_leaves_the_rules(
    staging: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HUBBLEWATCH_MODEL__PATH", str(tmp_path))
    code, alerts = replayed(capsys, str(staging))
    assert code == 0
    assert alerts == []


def test_incidents_are_compared_by_what_they_are_about() -> None:
    first, second = IncidentLog(), IncidentLog()
    for log, names in ((first, "ab"), (second, "bc")):
        for name in names:
            log.take(alert(incident=name, status=AlertStatus.FIRING))
    comparison = Comparison(first, second)
    assert [story.alert.incident for story in comparison.gone] == ["a"]
    assert [story.alert.incident for story in comparison.new] == ["c"]
    assert comparison.kept == 1
