"""The dashboard, generated: ``python -m deploy.grafana.dashboard`` writes ``dashboards/``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deploy.grafana.cluster_panels import incident_panels, traffic_panels
from deploy.grafana.exporter_panels import exporter_panels
from deploy.grafana.panels import CLUSTER, Placed
from deploy.grafana.service_panels import service_panels, source_panels

FILE = Path(__file__).parent / "dashboards" / "hubblewatch.json"
COLUMNS = 24
SCHEMA_VERSION = 39
"""Grafana 11's; later ones migrate it when they load it."""


def placed(panels: list[Placed]) -> list[dict[str, Any]]:
    """Put panels from left to right into lines, as high as their highest, and number them."""
    found: list[dict[str, Any]] = []
    x = y = height = 0
    for wide, high, panel in panels:
        if x + wide > COLUMNS:
            x, y, height = 0, y + height, 0
        found.append(
            {"id": len(found) + 1, "gridPos": {"x": x, "y": y, "w": wide, "h": high}, **panel}
        )
        x, height = x + wide, max(height, high)
    return found


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "definition": query,
        "query": {"query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Matches series without the label, too.
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
    }


def dashboard() -> dict[str, Any]:
    """Give the whole dashboard as Grafana stores it."""
    return {
        "uid": "hubblewatch",
        "title": "hubblewatch",
        "description": "Anomalies in the network flows of clusters that run Cilium.",
        "tags": ["cilium", "hubble", "hubblewatch"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "links": [],
        "annotations": {"list": []},
        "templating": {
            "list": [
                {
                    "type": "datasource",
                    "name": "datasource",
                    "label": "Data source",
                    "query": "prometheus",
                    "refresh": 1,
                    "regex": "",
                    "multi": False,
                    "includeAll": False,
                    "hide": 0,
                },
                _variable("cluster", "Cluster", "label_values(hubblewatch_build_info, cluster)"),
                _variable(
                    "namespace",
                    "Namespace",
                    f"label_values(hubblewatch_attempts_total{{{CLUSTER}}}, namespace)",
                ),
            ]
        },
        "panels": placed(
            [
                *incident_panels(),
                *traffic_panels(),
                *source_panels(),
                *exporter_panels(),
                *service_panels(),
            ]
        ),
    }


def text() -> str:
    """Give the dashboard as the file holds it."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
