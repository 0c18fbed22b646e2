"""From metrics through a real Prometheus to a real Alertmanager, and back to quiet."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.metrics.building import Alert
from tests.stack.live import served
from tests.stack.watching import Seen, incidents, seen_within, watching

pytestmark = pytest.mark.stack

SCAN = Alert("scan", detector="port-scan", severity="critical", namespace="shop", workload="cart")
DENIALS = Alert("denials", detector="policy-denials", namespace="bank", workload="teller")


def subjects(alerts: Seen) -> list[tuple[str, str, str]]:
    return [
        (one["labels"]["severity"], one["labels"]["detector"], one["labels"].get("workload", ""))
        for one in incidents(alerts)
    ]


def test_incidents_reach_alertmanager_worsen_there_and_go_when_they_resolve(
    tmp_path: Path,
) -> None:
    with served() as live, watching(tmp_path, [live.address]) as alertmanager:
        live.close(SCAN, DENIALS)
        alerts = seen_within(20, alertmanager, lambda seen: len(incidents(seen)) == 2)
        assert subjects(alerts) == [
            ("critical", "port-scan", "cart"),
            ("warning", "policy-denials", "teller"),
        ]
        [scan, denials] = incidents(alerts)
        assert scan["labels"] == {
            "alertname": "HubblewatchIncidentCritical",
            "severity": "critical",
            "cluster": "demo",
            "detector": "port-scan",
            "namespace": "shop",
            "workload": "cart",
        }
        assert scan["annotations"]["summary"] == "port-scan: shop/cart (critical)"
        assert (
            "/api/alerts?detector=port-scan&severity=critical&namespace=shop"
            in (scan["annotations"]["description"])
        )
        assert scan["annotations"]["runbook_url"].endswith("/docs/runbooks/port-scan.md")
        assert [one["name"] for one in scan["receivers"]] == ["page"]
        assert [one["name"] for one in denials["receivers"]] == ["team"]

        live.close(Alert("denials", "firing", "policy-denials", "critical", "bank", "teller"))
        worse = [("critical", "policy-denials", "teller"), ("critical", "port-scan", "cart")]
        assert subjects(seen_within(20, alertmanager, lambda s: subjects(s) == worse)) == worse

        live.close(Alert("scan", "resolved", "port-scan", "critical", "shop", "cart"))
        left = [("critical", "policy-denials", "teller")]
        assert subjects(seen_within(20, alertmanager, lambda s: subjects(s) == left)) == left


def test_a_trial_in_shadow_mode_alerts_nobody(tmp_path: Path) -> None:
    with served() as live, watching(tmp_path, [live.address]) as alertmanager:
        live.close(Alert("trial", detector="isolation-forest", shadow=True), DENIALS)
        alerts = seen_within(20, alertmanager, lambda seen: bool(incidents(seen)))
        assert subjects(alerts) == [("warning", "policy-denials", "teller")]
