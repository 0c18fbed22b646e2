"""Prometheus and Alertmanager for a test, with intervals of a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.kafka.ports import free_ports
from deploy.local.stack import Alertmanager, Prometheus
from tests.stack.programs import required
from tests.stack.test_rules import RULES_FILE

BRIDGE = "keep_firing_for: 3m"
"""What the rules say; a test that waits for an incident's end has no three minutes."""

Seen = list[dict[str, Any]]


@contextmanager
def watching(folder: Path, targets: Sequence[str]) -> Iterator[Alertmanager]:
    """Scrape ``targets`` with the project's rules and routes; give the Alertmanager."""
    required(["prometheus"], "prometheus")
    required(["prometheus-alertmanager", "alertmanager"], "prometheus-alertmanager")
    rules = folder / "rules"
    rules.mkdir(parents=True)
    text = RULES_FILE.read_text()
    assert BRIDGE in text
    (rules / "hubblewatch.yaml").write_text(text.replace(BRIDGE, "keep_firing_for: 2s"))
    first, second = free_ports(2)
    with (
        Alertmanager(folder / "alertmanager", first) as alertmanager,
        Prometheus(
            folder / "prometheus",
            second,
            targets=targets,
            alertmanager=alertmanager.address,
            interval_seconds=1,
            rules=rules,
        ),
    ):
        yield alertmanager


def seen_within(
    seconds: float, alertmanager: Alertmanager, fits: Callable[[Seen], bool]
) -> list[dict[str, Any]]:
    """The alerts as soon as they fit, or as they are when the time is over."""
    deadline = time.monotonic() + seconds
    alerts = alertmanager.alerts()
    while not fits(alerts) and time.monotonic() < deadline:
        time.sleep(0.2)
        alerts = alertmanager.alerts()
    return alerts


def incidents(alerts: Seen) -> Seen:
    """Those that come from a detector, ordered by severity, detector and subject."""
    ours = [alert for alert in alerts if alert["labels"].get("detector")]
    return sorted(
        ours,
        key=lambda alert: [
            alert["labels"].get(label, "")
            for label in ("severity", "detector", "namespace", "workload")
        ],
    )
