"""``hubblewatch evaluate`` on a recording with its truth."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import msgspec
import pytest

from hubblewatch.cli import main
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.errors import ConfigurationError
from hubblewatch.evaluate.plan import QUICK_ATTACKS, EvaluationPlan, all_scenarios, read_labels
from hubblewatch.evaluate.systems import RAW_FOREST, RULES, SYSTEMS
from hubblewatch.simulate.scenarios import SCENARIOS


def test_a_recording_is_judged_by_its_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, truth = tmp_path / "a.jsonl", tmp_path / "a.truth.jsonl"
    simulated = main([
        "simulate", "--seed", "5", "--minutes", "25", "--rate", "1.5", "--vantage", "source",
        "--scenario", "port-scan:at=15", "--out", str(recording), "--truth", str(truth),
    ])  # fmt: skip
    assert simulated == 0
    out, tables = tmp_path / "a.json", tmp_path / "a.md"
    arguments = ["--truth", str(truth), "--json", str(out), "--markdown", str(tables)]
    assert main(["evaluate", str(recording), *arguments, "--quiet"]) == 0
    verdicts = msgspec.json.decode(out.read_bytes())["verdicts"]
    assert [verdict["system"] for verdict in verdicts] == list(SYSTEMS)
    rules = next(verdict for verdict in verdicts if verdict["system"] == "rules only")
    assert 1 <= rules["attacks"][0]["windows_to_detect"] <= 3
    assert "| `port-scan` | 1 |" in tables.read_text()
    assert tables.read_text().strip() in capsys.readouterr().out.strip()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A short recording with a port scan, and its truth."""
    directory = tmp_path_factory.mktemp("labelled")
    recording, truth = directory / "a.jsonl", directory / "a.truth.jsonl"
    simulated = main([
        "simulate", "--seed", "6", "--minutes", "8", "--rate", "0.5", "--vantage", "source",
        "--scenario", "port-scan:at=4", "--out", str(recording), "--truth", str(truth),
    ])  # fmt: skip
    assert simulated == 0
    return recording, truth


def judged(recording: Path, truth: Path, *arguments: str) -> int:
    """Give the exit code of judging the rules and the forest on raw flows."""
    systems = ["--system", RULES, "--system", RAW_FOREST]
    return main(["evaluate", str(recording), "--truth", str(truth), *systems, *arguments])


def lines_of(recording: Path) -> list[bytes]:
    return recording.read_bytes().splitlines(keepends=True)


def test_windows_of_another_length_are_judged(
    labelled: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBLEWATCH_WINDOW__SIZE_SECONDS", "30")
    out = tmp_path / "a.json"
    assert judged(*labelled, "--json", str(out)) == 0
    verdicts = msgspec.json.decode(out.read_bytes())["verdicts"]
    found = {verdict["system"]: verdict["attacks"][0]["windows_to_detect"] for verdict in verdicts}
    assert 1 <= found[RAW_FOREST] <= 4


def test_a_recording_that_ends_before_the_attack_finds_nothing(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, truth = labelled
    early = tmp_path / "early.jsonl"
    early.write_bytes(b"".join(lines_of(recording)[:60]))
    assert judged(early, truth) == 0
    assert "| `port-scan` | 1 | 0/1 | 0/1 |" in capsys.readouterr().out


def test_a_line_without_a_usable_time_is_passed_over_and_counted(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, truth = labelled
    assert judged(recording, truth) == 0
    wanted = capsys.readouterr().out
    lines = lines_of(recording)
    flow = next(line for line in lines if b'"l4"' in line)
    odd = re.sub(rb'"time":"[^"]*"', b'"time":"yesterday"', flow)
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"".join([*lines[:50], odd, b"no json\n", *lines[50:]]))
    assert judged(path, truth) == 0
    printed = capsys.readouterr()
    assert printed.out == wanted
    assert "lines that could not be used: malformed 1, time 1" in printed.err


def test_a_damaged_recording_is_judged_told_and_exits_with_1(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, truth = labelled
    packed = gzip.compress(recording.read_bytes())
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    assert judged(path, truth, "--quiet") == ExitCode.FAILED
    printed = capsys.readouterr()
    assert "| `port-scan` |" in printed.out
    assert "cut.jsonl.gz was read up to line" in printed.err


def test_a_recording_without_any_flow_is_told_and_exits_with_1(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, truth = labelled
    other = tmp_path / "other.log"
    other.write_bytes(b"no json\n{}\n")
    more = ["--truth", str(truth), str(other)]
    assert judged(recording, truth, *more, "--quiet") == ExitCode.FAILED
    told = capsys.readouterr().err
    assert f"none of the 2 lines of {other} was a flow" in told
    assert told.count("\n") == 1


def test_an_empty_recording_is_judged(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert judged(empty, labelled[1]) == 0


def test_a_recording_that_is_not_there_is_refused_before_any_is_judged(
    labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, truth = labelled
    more = ["--truth", str(truth), str(tmp_path / "absent.jsonl")]
    assert judged(recording, truth, *more) == ExitCode.WRONG_USE
    printed = capsys.readouterr()
    assert "there is no file" in printed.err
    assert "seed 0" not in printed.err


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_compressed_truth_is_read(tmp_path: Path, ending: str) -> None:
    simulate = ["simulate", "--seed", "6", "--minutes", "8", "--rate", "0.5"]
    scenario = ["--scenario", "port-scan:at=4"]
    paths = [tmp_path / "truth.jsonl", tmp_path / f"truth.jsonl.{ending}"]
    for path in paths:
        out = ["--out", str(tmp_path / "a.jsonl"), "--truth", str(path)]
        assert main([*simulate, *scenario, *out]) == 0
    plain, compressed = map(read_labels, paths)
    assert [label.name for label in plain] == ["port-scan"]
    assert compressed == plain


def test_a_truth_that_ends_early_is_refused(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl.gz"
    path.write_bytes(gzip.compress(labelled[1].read_bytes())[:-20])
    with pytest.raises(ConfigurationError, match="its gzip data ends early"):
        read_labels(path)


def test_only_the_systems_named_are_judged(tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    arguments = ["--scenario", "quiet", "--seeds", "1", "--minutes", "30", "--rate", "0.5"]
    arguments += ["--size", "small", "--system", "rules only", "--json", str(out), "--quiet"]
    assert main(["evaluate", *arguments]) == 0
    assert [v["system"] for v in msgspec.json.decode(out.read_bytes())["verdicts"]] == [RULES]


def test_an_unknown_system_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evaluate", "--system", "oracle"]) == 2
    assert "rules only" in capsys.readouterr().err


def test_a_recording_without_its_truth_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "a.jsonl"]) == 2
    assert "one --truth for each recording" in capsys.readouterr().err


def test_an_unknown_scenario_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evaluate", "--scenario", "port-scam"]) == 2
    assert "port-scan" in capsys.readouterr().err


def test_a_file_that_is_no_truth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"label": 7}\n')
    with pytest.raises(ConfigurationError, match="no truth of hubblewatch"):
        read_labels(path)


def test_quiet_and_disturbances_are_run_once_whatever_the_intensities() -> None:
    plan = EvaluationPlan(("beacon", "quiet", "rollout"), intensities=(0.5, 1.0), seeds=(1, 2))
    names = [case.name for case, _ in plan.cases()]
    assert (names.count("beacon"), names.count("quiet"), names.count("rollout")) == (4, 2, 2)


def test_what_a_cluster_is_too_small_to_show_is_left_out_and_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--scenario", "namespace-sprawl-fast", "--scenario", "quiet", "--seeds", "1"]
    arguments += ["--minutes", "30", "--rate", "0.3", "--size", "small", "--system", RULES]
    assert main(["evaluate", *arguments]) == 0
    told = capsys.readouterr()
    assert "too small to show them: namespace-sprawl-fast" in told.err
    assert "| `namespace-sprawl-fast` |" not in told.out


def test_a_recording_is_as_long_as_its_scenario_needs() -> None:
    plan = EvaluationPlan(("namespace-sprawl-slow", "beacon"), seeds=(1,), minutes=60)
    (slow, beacon) = [config for _, config in plan.cases()]
    assert slow.scenarios[0].at_minutes == SCENARIOS["namespace-sprawl-slow"].lead_minutes
    assert slow.minutes == 170
    assert (beacon.scenarios[0].at_minutes, beacon.minutes) == (30, 60)


def test_every_case_has_a_cluster_of_its_own() -> None:
    plan = EvaluationPlan(all_scenarios(), seeds=(1, 2, 3))
    seeds = [config.seed for _, config in plan.cases()]
    assert len(seeds) == len(set(seeds)) == 3 * len(SCENARIOS)


def test_a_scenario_more_changes_no_others_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = EvaluationPlan(("port-scan",), seeds=(9001,))
    before = [config.seed for _, config in plan.cases()]
    first = {"ahead-of-all": SCENARIOS["quiet"], **SCENARIOS}
    monkeypatch.setattr("hubblewatch.evaluate.plan.SCENARIOS", first)
    assert [config.seed for _, config in plan.cases()] == before


def test_what_takes_longer_to_be_known_begins_later() -> None:
    plan = EvaluationPlan(("workload-stop", "port-scan"), seeds=(1,))
    begins = [(config.minutes, config.scenarios[0].at_minutes) for _, config in plan.cases()]
    assert begins == [(82.0, 62.0), (60.0, 30.0)]


def test_the_quick_profile_names_attacks() -> None:
    assert all(SCENARIOS[name].kind == "attack" for name in QUICK_ATTACKS)
