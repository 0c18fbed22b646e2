"""The command as it is called: what it prints, how it stops, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import pytest
from tests.builders import START
from tests.connections import tcp
from tests.refusals import denied
from tests.replay.alerting import alert, closed, resolved
from tests.source.hubble.honest import encoded
from tests.source.hubble.observer import Observer

from hubblewatch.cli import main
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.watch.alert_lines import AlertLines

QUICK_WINDOWS = {
    "HUBBLEWATCH_WINDOW__SIZE_SECONDS": "3",
    "HUBBLEWATCH_WINDOW__LATENESS_SECONDS": "1",
    "HUBBLEWATCH_WINDOW__SETTLE_SECONDS": "1",
    "HUBBLEWATCH_WINDOW__CONNECTION_IDLE_SECONDS": "6",
    "HUBBLEWATCH_SERVE__PORT": "0",
    "HUBBLEWATCH_MODEL__ENABLED": "false",
}


@pytest.mark.slow
def test_the_command_prints_alerts_and_stops_in_order_when_told(tmp_path: Path) -> None:
    observer = Observer().start()
    stop = threading.Event()

    def feed() -> None:
        number = 0
        while not stop.wait(0.02):
            number += 1
            at = time.time() - START
            lines = [
                *tcp(at=at, from_port=10_000 + number),
                *denied(at=at, from_port=40_000 + number, retransmissions=0),
            ]
            for line in lines:
                observer.ring.append((time.time_ns(), encoded(line)))
                observer.seen += 1

    feeding = threading.Thread(target=feed)
    feeding.start()
    environment = os.environ | QUICK_WINDOWS | {"HUBBLEWATCH_HUBBLE__ADDRESS": observer.address}
    command = [sys.executable, "-m", "hubblewatch", "watch", "--json"]
    watching = subprocess.Popen(
        [*command, "--state", str(tmp_path / "state")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert watching.stdout is not None
        alert = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGTERM)
        _, errors = watching.communicate(timeout=15)
    finally:
        watching.kill()
        stop.set()
        feeding.join()
        observer.stop()
    assert (alert["detector"], alert["status"]) == ("policy-denials", "firing")
    assert watching.returncode == ExitCode.DONE
    assert b"Traceback" not in errors
    assert b"stopped" in errors


def test_a_broken_state_file_is_wrong_use_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.write_bytes(b"this is no database" * 99)
    assert main(["watch", "--state", str(state)]) == ExitCode.WRONG_USE
    told = capsys.readouterr().err
    assert told.startswith(f"hubblewatch: --state {state} cannot be used: file is not a database")
    assert "move this one away" in told


def test_alerts_for_people_are_one_line_each_whatever_the_names() -> None:
    output = BytesIO()
    lines = AlertLines(output, as_json=False)
    lines.observe(closed(0, [alert(summary="bad\nname\x1b[2J"), resolved()]))
    first, second = output.getvalue().decode().splitlines()
    assert first == "2026-03-02T08:01:00Z warning  policy-denials: bad\ufffdname\ufffd[2J"
    assert "resolved policy-denials" in second


def test_alerts_for_programs_are_their_records() -> None:
    output = BytesIO()
    AlertLines(output, as_json=True).observe(closed(0, [alert()]))
    assert json.loads(output.getvalue())["schema"] == "hubblewatch.alert/v1"
