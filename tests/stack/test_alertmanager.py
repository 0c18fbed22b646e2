"""Alertmanager's example: who is told of what, and what is held back."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deploy.local.kafka.ports import free_ports
from deploy.local.stack import Alertmanager
from deploy.local.stack.alertmanager import CONFIGURATION
from tests.stack.programs import amtool, required, run

pytestmark = pytest.mark.stack

INCIDENT = {
    "alertname": "HubblewatchIncident",
    "cluster": "demo",
    "namespace": "shop",
    "workload": "cart",
}


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    required(["prometheus-alertmanager", "alertmanager"], "prometheus-alertmanager")
    with Alertmanager(tmp_path, free_ports(1)[0]) as running:
        yield running


def held_back(
    alertmanager: Alertmanager, *alerts: dict[str, str], expected: set[int]
) -> set[int] | None:
    """Which of the alerts, by place, an inhibition hides: at last, if it is not as expected."""
    now = datetime.now(UTC)
    body = [
        {
            "labels": {**labels, "place": str(place)},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=5)).isoformat(),
        }
        for place, labels in enumerate(alerts)
    ]
    request = urllib.request.Request(
        f"{alertmanager.url}/api/v2/alerts",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.status == 200
    # The inhibitor hears of alerts a moment after the API does, the sources last of all.
    deadline = time.monotonic() + 5
    while (found := _hidden(alertmanager, len(alerts))) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _hidden(alertmanager: Alertmanager, count: int) -> set[int] | None:
    known = alertmanager.alerts()
    if len(known) < count:
        return None
    return {int(alert["labels"]["place"]) for alert in known if alert["status"]["inhibitedBy"]}


def test_amtool_accepts_the_configuration() -> None:
    code, said = run(amtool(), "check-config", str(CONFIGURATION))
    assert code == 0, said
    assert "3 receivers" in said


@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "page"), ("warning", "team"), ("info", "record"), ("unheard-of", "team")],
)
def test_the_severity_decides_who_is_told(severity: str, receiver: str) -> None:
    code, said = run(
        *(amtool(), "config", "routes", "test", f"--config.file={CONFIGURATION}"),
        f"severity={severity}",
        "alertname=HubblewatchIncident",
    )
    assert (code, said.split()[0]) == (0, receiver)


def test_the_worst_of_one_detector_and_subject_is_left(alertmanager: Alertmanager) -> None:
    scan = {**INCIDENT, "detector": "port-scan"}
    expected = {1, 2}
    assert (
        held_back(
            alertmanager,
            {**scan, "severity": "critical"},
            {**scan, "severity": "warning"},
            {**scan, "severity": "info"},
            expected=expected,
        )
        == expected
    )


def test_another_detector_subject_or_cluster_is_not_held_back(alertmanager: Alertmanager) -> None:
    critical = {**INCIDENT, "detector": "port-scan", "severity": "critical"}
    warning = {**critical, "severity": "warning"}
    others = [
        warning,
        {**warning, "detector": "policy-denials"},
        {**warning, "namespace": "bank"},
        {**warning, "workload": "front"},
        {**warning, "cluster": "other"},
    ]
    assert held_back(alertmanager, critical, *others, expected={1}) == {1}


def test_a_degraded_source_hides_what_is_uncertain_and_nothing_else(
    alertmanager: Alertmanager,
) -> None:
    warning = {**INCIDENT, "severity": "warning"}
    expected = {1, 2}
    assert (
        held_back(
            alertmanager,
            # As Prometheus sends it: an incident of the stream has no namespace and no workload.
            {
                "alertname": "HubblewatchIncidentWarning",
                "cluster": "demo",
                "severity": "warning",
                "detector": "source-degraded",
            },
            {**warning, "detector": "silence"},
            {**warning, "detector": "isolation-forest"},
            {**warning, "detector": "connectivity-errors", "severity": "critical"},
            {**warning, "detector": "policy-denials"},
            {**warning, "detector": "silence", "cluster": "other"},
            expected=expected,
        )
        == expected
    )


def test_of_two_steps_of_one_trouble_the_worse_is_left(alertmanager: Alertmanager) -> None:
    behind = {"alertname": "HubblewatchWatermarkBehind", "cluster": "demo"}
    expected = {0}
    assert (
        held_back(
            alertmanager,
            {**behind, "severity": "warning"},
            {**behind, "severity": "critical"},
            expected=expected,
        )
        == expected
    )


def test_a_cause_hides_its_effects(alertmanager: Alertmanager) -> None:
    expected = {1, 3, 5}
    assert (
        held_back(
            alertmanager,
            {"alertname": "HubblewatchNoFlows", "cluster": "demo", "severity": "critical"},
            {"alertname": "HubblewatchWatermarkBehind", "cluster": "demo", "severity": "warning"},
            {"alertname": "HubblewatchAbsent", "severity": "critical"},
            {"alertname": "HubblewatchTargetDown", "cluster": "demo", "severity": "warning"},
            {"alertname": "HubblewatchEventsLost", "cluster": "demo", "severity": "warning"},
            {"alertname": "HubblewatchCompletenessLow", "cluster": "demo", "severity": "warning"},
            {"alertname": "HubblewatchCompletenessLow", "cluster": "demo", "severity": "critical"},
            expected=expected,
        )
        == expected
    )


def test_a_cluster_without_workers_hides_no_other_cluster(alertmanager: Alertmanager) -> None:
    absent = {"alertname": "HubblewatchAbsent", "severity": "critical", "cluster": "east"}
    down = {"alertname": "HubblewatchTargetDown", "severity": "warning", "cluster": "east"}
    assert held_back(alertmanager, absent, down, {**down, "cluster": "west"}, expected={1}) == {1}


def test_hubble_or_kafka_away_hides_what_comes_of_it_at_that_exporter(
    alertmanager: Alertmanager,
) -> None:
    behind = {"alertname": "HubblewatchExporterBehind", "severity": "warning", "cluster": "demo"}
    filling = {**behind, "alertname": "HubblewatchSpoolFilling"}
    expected = {2, 3, 6}
    assert (
        held_back(
            alertmanager,
            {**behind, "alertname": "HubblewatchHubbleAway", "instance": "a"},
            {**behind, "alertname": "HubblewatchKafkaAway", "instance": "b"},
            {**behind, "instance": "a"},
            {**filling, "instance": "b"},
            {**behind, "instance": "c"},
            {**behind, "alertname": "HubblewatchExporterAbsent"},
            {**behind, "alertname": "HubblewatchNoFlows", "severity": "critical"},
            {**behind, "alertname": "HubblewatchNoFlows", "cluster": "other"},
            expected=expected,
        )
        == expected
    )
