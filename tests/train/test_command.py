"""``hubblewatch train``: from recordings and from a recipe to a model that works."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.builders import flow
from tests.connections import tcp

from hubblewatch.cli import main
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.model.manifest import CARD_FILE
from hubblewatch.model.store import load_model, read_manifest
from hubblewatch.train import make

RECIPE = """
name: tiny
forest: {trees: 10, sample: 64}
train:
  - {seeds: [31, 31], minutes: 30, rate: 2}
calibrate:
  - {seeds: [32, 32], minutes: 30, rate: 2}
check:
  - {seeds: [33, 33], minutes: 30, rate: 2, scenarios: ["data-staging:at=20"]}
"""


@pytest.fixture
def few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short recordings be enough."""
    monkeypatch.setattr(make, "LEAST_WINDOWS", 100)


def test_a_recipe_becomes_a_model(tmp_path: Path, few_windows: None) -> None:
    recipe = tmp_path / "tiny.recipe.yaml"
    recipe.write_text(RECIPE)
    out = tmp_path / "tiny"
    assert main(["train", "--out", str(out), "--simulate", str(recipe), "--quiet"]) == 0
    manifest = read_manifest(out)
    assert load_model(out).name == "tiny"
    assert len(manifest.checks) == 1
    assert (out / CARD_FILE).read_text().startswith("# Model `tiny`")


def test_recordings_become_a_model(tmp_path: Path, few_windows: None) -> None:
    recording = tmp_path / "usual.jsonl"
    simulate = ["simulate", "--seed", "34", "--minutes", "40", "--rate", "2"]
    assert main([*simulate, "--out", str(recording)]) == 0
    out = tmp_path / "My Model"
    assert main(["train", "--out", str(out), str(recording), "--quiet"]) == 0
    manifest = read_manifest(out)
    assert manifest.name == "my-model"
    assert manifest.training.sources == ["usual.jsonl"]
    assert manifest.training.first == "2026-03-02T08:00:00Z"
    assert "2026-03-02T08:20:00Z" < manifest.training.last < "2026-03-02T08:35:00Z"
    assert f"to {manifest.training.last}, and" in (out / CARD_FILE).read_text()
    assert load_model(out).threshold == manifest.threshold


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one of them, not both"),
        (["a.jsonl", "--simulate", "b.yaml"], "one of them, not both"),
        (["a.jsonl", "--from-topic"], "one of them, not both"),
        (["a.jsonl", "--since", "1d"], "go with --from-topic"),
        (["--from-topic", "--since", "soon"], "neither an RFC 3339 time nor a duration"),
        (["missing.jsonl"], "missing.jsonl"),
    ],
)
def test_a_wrong_order_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["train", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_damaged_recording_is_trained_on_told_and_exits_with_1(
    tmp_path: Path, few_windows: None, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole.jsonl"
    simulate = ["simulate", "--seed", "34", "--minutes", "45", "--rate", "2"]
    assert main([*simulate, "--out", str(whole)]) == 0
    packed = gzip.compress(b"no json\n" + whole.read_bytes())
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(packed[: len(packed) * 9 // 10])
    out = tmp_path / "model"
    assert main(["train", "--out", str(out), str(cut), "--quiet"]) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "cut.jsonl.gz was read up to line" in told
    assert told.count("\n") == 1
    assert load_model(out).name == "model"


def test_damage_is_told_where_it_leaves_too_little_to_train_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b"no json\n")[:-2])
    assert main(["train", "--out", str(tmp_path / "model"), str(cut)]) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "its gzip data ends early" in told
    assert "lines that could not be used: malformed 1" in told
    assert "too little to train on" in told


def test_lines_that_counting_refuses_are_told_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line for n in range(300) for line in tcp(at=n, from_port=30_000 + n)]
    lines.insert(20, flow(at=172_800))
    lines.insert(40, flow(at=0).replace(b"2026-03-02T", b"yesterday "))
    recording = tmp_path / "odd.jsonl"
    recording.write_bytes(b"\n".join(lines))
    assert main(["train", "--out", str(tmp_path / "model"), str(recording)]) == ExitCode.FAILED
    assert "lines that could not be used: ahead 1, time 1" in capsys.readouterr().err
