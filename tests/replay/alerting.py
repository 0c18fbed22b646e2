"""Alert records and closings for what a replay shows of them."""

from __future__ import annotations

from typing import Any

from tests.builders import START

from hubblewatch.alert.record import AlertRecord, AlertStatus
from hubblewatch.detectors.finding import Evidence, Reason, Severity
from hubblewatch.pipeline import Closed
from hubblewatch.window.closing import Closing
from hubblewatch.window.completeness import Completeness


def alert(incident: str = "1", severity: Severity = Severity.WARNING, **others: Any) -> AlertRecord:
    """A firing record of an incident of shop/cart."""
    fields: dict[str, Any] = {
        "id": f"{incident}-open",
        "incident": incident,
        "status": AlertStatus.FIRING,
        "detector": "policy-denials",
        "severity": severity,
        "cluster": "default",
        "namespace": "shop",
        "workload": "cart",
        "pods": ["cart-0"],
        "direction": "outbound",
        "peers": [],
        "window_start": "2026-03-02T08:00:00Z",
        "window_end": "2026-03-02T08:01:00Z",
        "first_seen": "2026-03-02T08:00:00Z",
        "last_seen": "2026-03-02T08:01:00Z",
        "observed": 40.0,
        "expected": 0.0,
        "unit": "denied attempts",
        "ratio": 40.0,
        "score": 5.0,
        "reasons": [Reason("denied", 40.0, 0.0, 2.5)],
        "summary": "40 attempts of shop/cart denied",
        "description": "A policy cut a connection.",
        "recommendation": "Compare with recent changes.",
        "runbook": "https://example.org/policy-denials.md",
        "evidence": Evidence(edges=["shop/cart -> shop/db:5432/tcp (40)"]),
        "reproduce": "hubble observe --from-pod shop/cart --verdict DROPPED",
        "completeness": 1.0,
        "baseline": "active",
    }
    return AlertRecord(**(fields | others))


def resolved(incident: str = "1", **others: Any) -> AlertRecord:
    """The record that ends an incident."""
    return alert(incident, status=AlertStatus.RESOLVED, **others)


def closed(
    number: int = 0,
    alerts: list[AlertRecord] | None = None,
    *,
    share: float = 1.0,
    lost: int = 0,
    silent_nodes: list[str] | None = None,
    **others: Any,
) -> Closed:
    """The closing ``number`` minutes after START, without windows."""
    start = START + 60 * number
    completeness = Completeness(share, lost, 0.0, silent_nodes or [], 0.0, 0.0)
    fields: dict[str, Any] = {"windows": [], "age": number} | others
    closing = Closing(
        number=start // 60,
        start=start,
        end=start + 60,
        cluster="default",
        completeness=completeness,
        is_complete=share >= 0.8,
        **fields,
    )
    return Closed(closing, alerts or [])
