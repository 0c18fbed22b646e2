"""The command with standard streams that are closed, full, or of another encoding."""

import os
import subprocess
import sys

import pytest
from tests.builders import pod
from tests.cli.test_replay import burst
from tests.refusals import denied
from tests.replay.replaying import write

from hubblewatch.cli import main
from hubblewatch.cli.exit_code import ExitCode


def shell(line, *arguments, **variables):
    """What a shell makes of ``line``, in which hw is the command and $1… the arguments."""
    return subprocess.run(
        ["sh", "-c", f'hw() {{ "{sys.executable}" -m hubblewatch "$@"; }}; {line}', "sh"]
        + [str(argument) for argument in arguments],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, **variables},
    )


@pytest.fixture
def recording(tmp_path):
    return write(tmp_path / "burst.jsonl", burst())


def test_a_closed_output_changes_no_exit_code(recording):
    shown = shell('hw replay -q --fail-on warning "$1" >&-', recording)

    assert (shown.returncode, shown.stderr) == (ExitCode.ALERTS_FOUND, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_report_needs_no_open_stream(recording, closed):
    shown = shell(f'hw replay "$1" {closed}', recording)

    assert (shown.returncode, shown.stderr) == (ExitCode.DONE, b"")


def test_an_input_that_is_closed_is_no_empty_recording():
    shown = shell("hw replay -q - <&-")

    assert shown.returncode == ExitCode.FAILED
    assert b"Bad file descriptor" in shown.stdout + shown.stderr


def test_doctor_reports_to_a_closed_output(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("serve: {port: 70000}\n")

    shown = shell('hw doctor --config "$1" >&-', wrong)

    assert (shown.returncode, shown.stderr) == (ExitCode.WRONG_USE, b"")


def test_no_other_file_gets_the_number_of_a_closed_stream():
    program = """
import os, sys
from hubblewatch.cli import app, main

@app.command("act")
def act() -> None:
    opened = os.open("/", os.O_RDONLY)
    print("said")
    sys.exit(opened)

sys.exit(main(["act"]))
"""
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        shown = shell(f'"{sys.executable}" -c "$1" {closed}', program)
        assert shown.returncode > 2
        assert shown.stderr == b""


@pytest.mark.parametrize(
    "arguments", ["--json", "--windows -", "-q --windows /dev/full", "", "--json -q"]
)
def test_a_full_output_is_told_in_a_line(recording, arguments):
    shown = shell(f'hw replay {arguments} "$1" >/dev/full', recording)

    assert shown.stderr.splitlines()[-1:] == [
        b"hubblewatch: cannot write the output: No space left on device"
    ]
    assert b"Traceback" not in shown.stderr
    assert b"Exception ignored" not in shown.stderr
    assert shown.returncode == ExitCode.FAILED


@pytest.mark.parametrize("line", ["hw --version >/dev/full", "hw doctor >/dev/full"])
def test_so_it_is_whatever_writes(line):
    shown = shell(line)

    assert shown.stderr == b"hubblewatch: cannot write the output: No space left on device\n"
    assert shown.returncode == ExitCode.FAILED


def test_a_full_standard_error_is_no_defect():
    shown = shell("hw replay /no/such/file 2>/dev/full")

    assert (shown.returncode, shown.stdout) == (ExitCode.WRONG_USE, b"")


def test_signs_that_the_encoding_lacks_are_replaced(tmp_path):
    lines = [
        line
        for number in range(40)
        for line in denied(
            pod("shop/cart-0"), at=1 + number, from_port=42_000 + number, policy="no-ж"
        )
    ]
    path = write(tmp_path / "snow-☃.jsonl", lines)

    shown = shell('hw replay "$1"', path, PYTHONIOENCODING="latin-1", PYTHONUTF8="0")

    assert shown.stderr == b""
    assert b"snow-?.jsonl" in shown.stdout
    assert shown.returncode == ExitCode.DONE


def test_a_stream_put_in_its_place_is_used(monkeypatch, tmp_path):
    with (tmp_path / "output").open("w+", encoding="ascii") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["--version"]) == ExitCode.DONE
        output.seek(0)
        assert output.read().startswith("hubblewatch ")
