"""``make stack``: a recording through real Kafka, worker and Prometheus to Alertmanager."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deploy.local.kafka import KafkaUnavailableError
from deploy.local.kafka.engine import find_engine
from deploy.local.stack import StackError
from deploy.local.stack.__main__ import DEMO, DEMO_DETECTORS
from deploy.local.stack.stack import Ports, Stack
from tests.stack.live import scrape
from tests.stack.programs import required
from tests.stack.queries import wishes_unmet
from tests.stack.test_rules import RULES_FILE

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
WITHIN_SECONDS = 90.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    required(["prometheus"], "prometheus")
    required(["prometheus-alertmanager", "alertmanager"], "prometheus-alertmanager")
    try:
        find_engine()
    except KafkaUnavailableError as reason:
        if os.environ.get("HUBBLEWATCH_REQUIRE_KAFKA") == "1":
            pytest.fail(f"Kafka is required here: {reason}", pytrace=False)
        pytest.skip(str(reason))
    stack = Stack(
        tmp_path_factory.mktemp("stack"), Ports.free(1), DEMO, speed=60.0, interval_seconds=1
    )
    stack.start()
    yield stack
    stack.stop()
    assert not stack.kafka.running
    assert not any(program.running for program in stack.programs)


def test_the_demos_incidents_reach_alertmanager(stack: Stack) -> None:
    seen: dict[str, dict[str, str]] = {}
    deadline = time.monotonic() + WITHIN_SECONDS
    while not seen.keys() >= DEMO_DETECTORS and time.monotonic() < deadline:
        stack.check()
        for alert in stack.incidents():
            seen[alert["labels"]["detector"]] = alert["labels"]
        time.sleep(0.5)
    assert set(seen) == DEMO_DETECTORS
    assert seen["port-scan"] == {
        "alertname": "HubblewatchIncidentCritical",
        "severity": "critical",
        "cluster": "demo",
        "detector": "port-scan",
        "namespace": "contracts",
        "workload": "contract-core",
    }


def test_the_worker_exports_what_the_rules_ask_for(stack: Stack) -> None:
    samples = scrape(stack.worker_urls[0].removeprefix("http://"))
    unmet = {
        rule["alert"]: lacking
        for group in yaml.safe_load(RULES_FILE.read_text())["groups"]
        for rule in group["rules"]
        if (lacking := wishes_unmet(rule["expr"], samples))
    }
    # What need not be there at this moment: an open incident of each severity, and a model.
    assert unmet.keys() <= {
        "HubblewatchIncidentCritical",
        "HubblewatchIncidentWarning",
        "HubblewatchIncidentInfo",
        "HubblewatchModelMissing",
    }


def run_stack(folder: Path, *options: str, path: str | None = None) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.local.stack", f"--data={folder}", *options],
        cwd=ROOT,
        env={**os.environ, **({"PATH": path} if path is not None else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_a_missing_program_is_named_with_its_package(tmp_path: Path) -> None:
    code, said = run_stack(tmp_path / "stack", "--free-ports", path=str(tmp_path))
    assert code == 1
    assert said == (
        "prometheus-alertmanager is not installed: "
        "apt-get install --no-install-recommends prometheus-alertmanager\n"
    )
    assert not (tmp_path / "stack").exists()


def test_a_usual_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # another program has it: as good
            taken.bind(("127.0.0.1", 9093))
            taken.listen()
        with pytest.raises(StackError, match=r"port \d+, wanted for .*--free-ports"):
            Ports.usual(1)
