import fcntl
import gzip
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from array import array
from pathlib import Path

import pytest
from tests.builders import pod
from tests.connections import tcp
from tests.refusals import denied
from tests.replay.replaying import write

from hubblewatch.cli import main
from hubblewatch.cli.exit_code import ExitCode

REAL = Path(__file__).parents[3] / "shared" / "recordings"


@pytest.fixture(autouse=True)
def _no_variables_from_outside(monkeypatch):
    for variable in list(os.environ):
        if variable.upper().startswith("HUBBLEWATCH_"):
            monkeypatch.delenv(variable)


def burst(minutes=3):
    """Quiet minutes, and in the last one forty denied connections of one workload."""
    lines = []
    for minute in range(minutes):
        lines += tcp(pod("shop/cart-0"), at=60 * minute, from_port=41_000 + minute)
    for number in range(40):
        lines += denied(
            pod("shop/cart-0"),
            at=60 * (minutes - 1) + 1 + number,
            from_port=42_000 + number,
            retransmissions=0,
            policy="no-db",
        )
    return lines


@pytest.fixture
def quiet_file(tmp_path):
    return str(write(tmp_path / "quiet.jsonl", tcp()))


@pytest.fixture
def burst_file(tmp_path):
    return str(write(tmp_path / "burst.jsonl", burst()))


def command(*arguments, **options):
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "hubblewatch", "replay", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def wait_until_read(pipe):
    """Until the other side has taken all that was written, and had time to count it."""
    waiting = array("i", [1])
    deadline = time.monotonic() + 30
    while waiting[0] and time.monotonic() < deadline:
        time.sleep(0.1)
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    time.sleep(0.5)


def test_a_replay_prints_its_report(burst_file, capsys):
    assert main(["replay", burst_file]) == ExitCode.DONE

    printed = capsys.readouterr()
    assert "policy-denials" in printed.out
    assert "hubblewatch replay" in printed.out.splitlines()[-1]
    assert printed.err == ""


def test_json_prints_alert_records_and_nothing_else(burst_file, capsys):
    assert main(["replay", burst_file, "--json"]) == ExitCode.DONE

    printed = capsys.readouterr()
    records = [json.loads(line) for line in printed.out.splitlines()]
    assert "policy-denials" in {record["detector"] for record in records}
    assert {record["schema"] for record in records} == {"hubblewatch.alert/v1"}
    assert printed.err == ""


def test_json_of_a_quiet_recording_is_empty(quiet_file, capsys):
    assert main(["replay", quiet_file, "--json"]) == ExitCode.DONE

    assert capsys.readouterr().out == ""


def test_json_keeps_damage_and_rejects_off_standard_output(tmp_path, capsys):
    path = tmp_path / "a.gz"
    packed = gzip.compress(b"".join(line + b"\n" for line in [b"no json", *tcp() * 50]))
    path.write_bytes(packed[:-4])

    assert main(["replay", str(path), "--json"]) == ExitCode.FAILED

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "its gzip data ends early" in printed.err
    assert "lines that could not be used: malformed 1" in printed.err


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_what_is_no_recording_is_told_and_fails_also_where_nothing_is_reported(
    tmp_path, capsys, option
):
    path = tmp_path / "other.jsonl"
    path.write_bytes(b'{"message": "of another tool"}\n' * 20)

    assert main(["replay", str(path), option, "--fail-on", "info"]) == ExitCode.FAILED

    assert "none of the 20 lines was a flow (unknown 20)" in capsys.readouterr().err


def test_the_same_recording_gives_the_same_records(burst_file, capsys):
    main(["replay", burst_file, "--json"])
    first = capsys.readouterr().out
    main(["replay", burst_file, "--json"])

    assert capsys.readouterr().out == first != ""


def test_windows_hold_exactly_what_was_attempted(tmp_path, quiet_file):
    output = tmp_path / "windows.jsonl"

    assert main(["replay", quiet_file, "--quiet", "--windows", str(output)]) == ExitCode.DONE

    (window,) = [json.loads(line) for line in output.read_text().splitlines()]
    expected = {
        "start": "2026-03-02T08:00:00Z",
        "end": "2026-03-02T08:01:00Z",
        "namespace": "shop",
        "workload": "cart",
        "direction": "outbound",
        "attempts": 1,
        "allowed": 1,
        "tcp": 1,
        "udp": 0,
        "denied": 0,
        "peer_namespaces": ["shop"],
        "peer_ports": 1,
        "completeness": 1.0,
    }
    assert {name: window[name] for name in expected} == expected


def test_windows_may_go_to_standard_output_and_the_report_then_does_not(quiet_file, capsys):
    assert main(["replay", quiet_file, "--windows", "-"]) == ExitCode.DONE

    printed = capsys.readouterr()
    assert [json.loads(line)["workload"] for line in printed.out.splitlines()] == ["cart"]
    assert "Replay of" in printed.err


def test_windows_and_json_cannot_share_standard_output(quiet_file, capsys):
    assert main(["replay", quiet_file, "--json", "--windows", "-"]) == ExitCode.WRONG_USE
    assert "give --windows a file" in capsys.readouterr().err


def test_windows_do_not_overwrite_a_recording(quiet_file, capsys):
    before = Path(quiet_file).read_bytes()

    assert main(["replay", quiet_file, "--windows", quiet_file]) == ExitCode.WRONG_USE

    assert "would overwrite" in capsys.readouterr().err
    assert Path(quiet_file).read_bytes() == before


def test_windows_in_a_directory_that_is_not_there_are_refused(quiet_file, tmp_path, capsys):
    output = str(tmp_path / "absent" / "windows.jsonl")

    assert main(["replay", quiet_file, "--windows", output]) == ExitCode.WRONG_USE
    assert "a directory that exists" in capsys.readouterr().err


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_fail_on_exits_with_3_when_an_alert_is_as_severe(burst_file, severity):
    assert main(["replay", burst_file, "-q", "--fail-on", severity]) == ExitCode.ALERTS_FOUND


def test_fail_on_is_not_met_by_a_quiet_recording(quiet_file):
    assert main(["replay", quiet_file, "-q", "--fail-on", "info"]) == ExitCode.DONE


def test_fail_on_is_not_met_by_a_milder_alert(tmp_path):
    few = [
        line
        for minute in range(3)
        for number in range(4)
        for line in denied(
            pod("shop/cart-0"),
            at=60 * minute + number,
            from_port=42_000 + 10 * minute + number,
            retransmissions=0,
        )
    ]
    path = str(write(tmp_path / "few.jsonl", few))

    assert main(["replay", path, "-q", "--fail-on", "warning"]) == ExitCode.ALERTS_FOUND
    assert main(["replay", path, "-q", "--fail-on", "critical"]) == ExitCode.DONE


def test_an_unknown_severity_is_wrong_use(quiet_file):
    assert main(["replay", quiet_file, "--fail-on", "page"]) == ExitCode.WRONG_USE


def test_quiet_prints_nothing(burst_file, capsys):
    assert main(["replay", burst_file, "--quiet"]) == ExitCode.DONE

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_no_file_is_wrong_use():
    assert main(["replay"]) == ExitCode.WRONG_USE


def test_a_missing_file_is_wrong_use_with_a_remedy(tmp_path, capsys):
    assert main(["replay", str(tmp_path / "absent")]) == ExitCode.WRONG_USE
    assert "check the name" in capsys.readouterr().err


def test_a_directory_is_wrong_use_with_a_remedy(tmp_path, capsys):
    assert main(["replay", str(tmp_path)]) == ExitCode.WRONG_USE
    assert "name the recordings in it" in capsys.readouterr().err


def test_nothing_is_written_when_one_of_several_files_is_missing(tmp_path, quiet_file):
    output = tmp_path / "windows.jsonl"

    code = main(["replay", quiet_file, str(tmp_path / "absent"), "--windows", str(output)])

    assert code == ExitCode.WRONG_USE
    assert not output.exists()


def test_a_damaged_recording_is_reported_and_exits_with_1(tmp_path, capsys):
    path = tmp_path / "a.gz"
    packed = gzip.compress(b"".join(line + b"\n" for line in burst(30)))
    path.write_bytes(packed[: len(packed) // 2])

    assert main(["replay", str(path)]) == ExitCode.FAILED

    text = capsys.readouterr().out
    assert "Damaged" in text
    assert "connections begun" in text


def test_settings_come_from_the_file(tmp_path, quiet_file):
    config = tmp_path / "hubblewatch.yaml"
    config.write_text("cluster: blue\nwindow:\n  size_seconds: 30\n")
    output = tmp_path / "windows.jsonl"

    main(["replay", quiet_file, "-q", "--config", str(config), "--windows", str(output)])

    window = json.loads(output.read_text())
    assert window["cluster"] == "blue"
    assert window["end"] == "2026-03-02T08:00:30Z"


def test_wrong_settings_are_wrong_use(tmp_path, quiet_file, capsys):
    config = tmp_path / "hubblewatch.yaml"
    config.write_text("window:\n  size_seconds: -1\n")

    assert main(["replay", quiet_file, "--config", str(config)]) == ExitCode.WRONG_USE
    assert "window.size_seconds" in capsys.readouterr().err


def test_a_suppressed_finding_raises_no_alert_and_is_counted(tmp_path, burst_file, capsys):
    entry = "{name: known, namespace: shop, owner: me, reason: a test, expires: never}"
    suppressions = tmp_path / "suppressions.yaml"
    suppressions.write_text(f"- {entry}\n")
    arguments = ["replay", burst_file, "--fail-on", "info", "--suppressions", str(suppressions)]

    assert main(arguments) == ExitCode.DONE

    text = capsys.readouterr().out
    assert "No alerts." in text
    assert "known 1" in text


def test_a_wrong_file_of_suppressions_is_wrong_use(tmp_path, burst_file, capsys):
    suppressions = tmp_path / "suppressions.yaml"
    suppressions.write_text("- name: without-owner\n")

    code = main(["replay", burst_file, "--suppressions", str(suppressions)])

    assert code == ExitCode.WRONG_USE
    assert "owner" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["9464", "host:port", "host:70000", ":"])
def test_a_wrong_address_is_wrong_use(quiet_file, address, capsys):
    assert main(["replay", quiet_file, "--listen", address]) == ExitCode.WRONG_USE
    assert "127.0.0.1:9464" in capsys.readouterr().err


def test_standard_input_is_read(burst_file):
    with open(burst_file, "rb") as recording:  # noqa: PTH123
        process = command("-", "--json", stdin=recording)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, b"")
    assert b"policy-denials" in out


def test_an_alert_is_printed_before_a_live_pipe_ends():
    process = command("-", "--json", stdin=subprocess.PIPE)
    lines = [*burst(), *tcp(at=300, from_port=43_000)]
    process.stdin.write(b"".join(line + b"\n" for line in lines))
    process.stdin.flush()

    assert json.loads(process.stdout.readline())["detector"] == "policy-denials"

    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_ctrl_c_on_a_waiting_pipe_shows_what_was_read_and_exits_with_130():
    process = command("-", "--windows", os.devnull, stdin=subprocess.PIPE)
    process.stdin.write(b"".join(line + b"\n" for line in burst()))
    process.stdin.flush()
    wait_until_read(process.stdin)
    process.send_signal(signal.SIGINT)

    out, err = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED
    assert b"interrupted" in out
    assert b"43 connections begun" in out
    assert err == b""


def test_a_reader_that_goes_away_ends_the_replay_quietly(tmp_path):
    lines = [
        line
        for minute in range(30)
        for number in range(30)
        for line in tcp(pod(f"n{number}/w-0"), at=60 * minute + number, from_port=41_000 + minute)
    ]
    path = write(tmp_path / "a.jsonl", lines)
    with command(str(path), "--windows", "-", "--quiet") as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert err == b""
    assert process.returncode == ExitCode.FAILED


def test_serving_answers_after_the_replay_until_it_is_stopped(burst_file):
    process = command(burst_file, "--quiet", "--listen", "127.0.0.1:0", "--fail-on", "critical")
    port = re.search(rb"127\.0\.0\.1:(\d+)", process.stderr.readline()).group(1).decode()
    assert b"still serving" in process.stderr.readline()

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read()

    assert {alert["detector"] for alert in json.loads(get("/api/alerts"))["alerts"]} >= {
        "policy-denials"
    }
    assert b"hubblewatch_alerts_active{" in get("/metrics")
    assert json.loads(get("/healthz"))["healthy"]
    assert json.loads(get("/readyz"))["ready"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == ExitCode.ALERTS_FOUND


def test_a_taken_port_is_an_error_and_no_traceback(burst_file, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        assert main(["replay", burst_file, "--listen", address]) == ExitCode.FAILED

    assert "the port is in use" in capsys.readouterr().err


def test_progress_is_shown_on_a_terminal_only(burst_file, monkeypatch, capsys):
    main(["replay", burst_file, "--json"])
    assert capsys.readouterr().err == ""

    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    main(["replay", burst_file, "--json"])

    assert "reading" in terminal.getvalue()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not on this machine")
def test_real_recordings_are_read_without_a_reject(capsys):
    files = [*REAL.glob("hubble-otel/*.json"), *REAL.glob("*.jsonl")]
    for file in files:
        assert main(["replay", str(file)]) == ExitCode.DONE
        text = capsys.readouterr().out
        assert "Rejected" not in text
        assert "flows/s" in text


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not on this machine")
def test_57_five_tuples_of_a_real_recording_are_its_tcp_attempts(tmp_path):
    output = tmp_path / "windows.jsonl"
    file = REAL / "hubble-otel" / "basic-sample-400-tcp-flows.json"

    main(["replay", str(file), "-q", "--windows", str(output)])

    windows = [json.loads(line) for line in output.read_text().splitlines()]
    assert 0 < sum(window["tcp"] for window in windows) <= 57
