"""``make stack``: a recording through real Kafka, worker and Prometheus to Alertmanager."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.local.kafka import KafkaUnavailableError
from deploy.local.kafka.engine import find_engine
from deploy.local.stack import StackError
from deploy.local.stack.__main__ import DEMO, DEMO_DETECTORS
from deploy.local.stack.stack import Ports, Stack
from tests.stack.live import Samples, scrape
from tests.stack.programs import required
from tests.stack.queries import wishes_unmet
from tests.stack.test_rules import RULES_FILE

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
WITHIN_SECONDS = 90.0

OF_LIVE_EXPORTERS = {
    "HubblewatchExporterAbsent",
    "HubblewatchHubbleAway",
    "HubblewatchHubbleReconnects",
    "HubblewatchSourceLoses",
    "HubblewatchExportFilesAway",
    "HubblewatchExporterBehind",
    "HubblewatchKafkaAway",
    "HubblewatchSpoolFilling",
    "HubblewatchSpoolDrops",
}
"""What an exporter of a recording has not: a Hubble, followed files, a spool, a lag."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Samples]]:
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
    # At once: the recording lasts for half a minute.
    yield stack, scrape(stack.exporter_url.removeprefix("http://"))
    stack.stop()
    assert not stack.kafka.running
    assert not any(program.running for program in stack.programs)


@pytest.fixture(scope="module")
def exporter(started: tuple[Stack, Samples]) -> Samples:
    """What the exporter served when it had just begun."""
    return started[1]


@pytest.fixture(scope="module")
def stack(started: tuple[Stack, Samples]) -> Stack:
    return started[0]


def test_the_demos_incidents_reach_alertmanager(stack: Stack) -> None:
    seen: dict[str, dict[str, str]] = {}
    deadline = time.monotonic() + WITHIN_SECONDS
    while not seen.keys() >= DEMO_DETECTORS and time.monotonic() < deadline:
        stack.check()
        for alert in stack.incidents():
            # A first contact is recorded as info, and pages nobody.
            if alert["labels"]["severity"] != "info":
                seen[alert["labels"]["detector"]] = alert["labels"]
        time.sleep(0.5)
    assert set(seen) == DEMO_DETECTORS
    assert seen["port-scan"] == {
        "alertname": "HubblewatchIncidentCritical",
        "severity": "critical",
        "cluster": "demo",
        "detector": "port-scan",
        "namespace": "imports",
        "workload": "import-rules",
    }
    assert seen["isolation-forest"]["workload"] == "fraud-backend"


def asked(stack: Stack, query: str) -> list[dict[str, Any]]:
    url = f"{stack.prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=5) as response:
        found: list[dict[str, Any]] = json.load(response)["data"]["result"]
    return found


def test_prometheus_scrapes_the_exporter_for_the_same_cluster(stack: Stack) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    query = "last_over_time(hubblewatch_exporter_flows_total[10m]) > 0"
    while not (found := asked(stack, query)):
        assert time.monotonic() < deadline, "Prometheus has nothing of the exporter"
        time.sleep(0.2)
    [series] = found
    assert series["metric"]["cluster"] == "demo"
    assert series["metric"]["job"] == "hubblewatch-exporter"


def test_the_worker_and_the_exporter_export_what_the_rules_ask_for(
    stack: Stack, exporter: Samples
) -> None:
    samples = exporter | scrape(stack.worker_urls[0].removeprefix("http://"))
    unmet = {
        rule["alert"]: lacking
        for group in yaml.safe_load(RULES_FILE.read_text())["groups"]
        for rule in group["rules"]
        if (lacking := wishes_unmet(rule["expr"], samples))
    }
    # What need not be there at this moment: an open incident of each severity, and a model.
    assert (
        unmet.keys()
        <= {
            "HubblewatchIncidentCritical",
            "HubblewatchIncidentWarning",
            "HubblewatchIncidentInfo",
            "HubblewatchModelMissing",
        }
        | OF_LIVE_EXPORTERS
    )


def test_an_exporter_that_has_sent_all_is_not_a_target_that_is_down(stack: Stack) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while stack.exporter.running:
        assert time.monotonic() < deadline, "the exporter does not end"
        time.sleep(0.2)
    stack.check()
    while asked(stack, 'up{job="hubblewatch-exporter"}'):
        assert time.monotonic() < deadline, "Prometheus goes on to scrape it"
        time.sleep(0.2)
    assert asked(stack, 'up{job="hubblewatch"} == 1')


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
