"""The command `hubblewatch simulate`."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from hubblewatch.cli import main

SHORT = ("simulate", "--size", "small", "--minutes", "0.5", "--seed", "2")


def test_recording_and_truth_are_written(tmp_path: Path) -> None:
    out, truth = tmp_path / "flows.jsonl", tmp_path / "truth.jsonl"
    assert main([*SHORT, "--scenario", "beacon", "--out", str(out), "--truth", str(truth)]) == 0
    assert all("time" in json.loads(line) for line in out.read_bytes().splitlines())
    kinds = [next(iter(json.loads(line))) for line in truth.read_bytes().splitlines()]
    assert kinds[0] == "recording"
    assert kinds[-1] == "label"
    assert set(kinds[1:-1]) == {"window"}


def test_compressed_recordings_hold_the_same_lines(tmp_path: Path) -> None:
    plain, packed, zst = (tmp_path / f"flows.jsonl{end}" for end in ("", ".gz", ".zst"))
    for out in (plain, packed, zst):
        assert main([*SHORT, "--out", str(out)]) == 0
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    with zst.open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file).read() == plain.read_bytes()


def test_a_compressed_recording_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    contents = []
    for name in ("first.jsonl.gz", "second.jsonl.gz"):
        assert main([*SHORT, "--out", str(tmp_path / name)]) == 0
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "wrong",
    [("--scenario", "no-such"), ("--scenario", "beacon:at=x"), ("--minutes", "0"),
     ("--nodes", "1"), ("--start", "yesterday")],
)  # fmt: skip
def test_wrong_use_stops_before_anything_is_written(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    out = tmp_path / "flows.jsonl"
    assert main([*SHORT, "--out", str(out), *wrong]) == 2
    assert not out.exists()


@pytest.mark.parametrize("option", ["--out", "--truth"])
def test_a_file_that_cannot_be_written_is_named_and_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    place = str(tmp_path / "absent" / "x.jsonl")
    assert main([*SHORT, "--out", str(tmp_path / "flows.jsonl"), option, place]) == 2
    assert f"cannot write {place}: No such file or directory; name a" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--truth"])
def test_a_full_disk_ends_it_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    out = str(tmp_path / "flows.jsonl")
    assert main([*SHORT, "--out", out, option, "/dev/full"]) == 1
    assert "No space left on device" in capsys.readouterr().err


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--list-scenarios"]) == 0
    listed = capsys.readouterr().out
    assert "port-scan" in listed
    assert "exporter-restart" in listed
