"""Grafana's panels as this project uses them; sizes in its grid of 24 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

CLUSTER = 'cluster=~"$cluster"'
"""Of every selector: the dashboard's variable."""

Placed = tuple[int, int, dict[str, Any]]
"""Width and height in the grid, and the panel."""

SEVERITY_COLOURS = {"critical": "red", "warning": "orange", "info": "blue"}


class Query(NamedTuple):
    """A PromQL expression and how its series are called."""

    expr: str
    legend: str = ""


class Step(NamedTuple):
    """From ``value`` on, ``colour``; the first step's value is None."""

    value: float | None
    colour: str


def _panel(
    kind: str,
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    instant: bool = False,
    **custom: Any,
) -> dict[str, Any]:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": DATASOURCE,
                "editorMode": "code",
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "range": not instant,
                "instant": instant,
                **({"format": "table"} if kind == "table" else {}),
            }
            for place, query in enumerate(queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "color": {"mode": "palette-classic"},
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"value": None, "color": "green"}],
                },
                "custom": custom,
            },
            "overrides": [],
        },
        "options": {},
    }


def stat(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str,
    steps: Sequence[Step],
    low: float | None = None,
    high: float | None = None,
) -> dict[str, Any]:
    """One number, coloured by ``steps``, with its past behind it."""
    panel = _panel("stat", title, description, [Query(expr)], unit=unit)
    defaults = panel["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "thresholds"}
    defaults["thresholds"]["steps"] = [{"value": s.value, "color": s.colour} for s in steps]
    defaults |= {name: edge for name, edge in (("min", low), ("max", high)) if edge is not None}
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "value",
    }
    return panel


def series(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    stacked: bool = False,
    low: float | None = 0,
    high: float | None = None,
    colours: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Lines over time; ``colours`` by the name of a series."""
    panel = _panel(
        "timeseries",
        title,
        description,
        queries,
        unit=unit,
        drawStyle="line",
        lineWidth=1,
        fillOpacity=25 if stacked else 5,
        showPoints="never",
        spanNulls=False,
        stacking={"mode": "normal" if stacked else "none", "group": "A"},
    )
    defaults = panel["fieldConfig"]["defaults"]
    defaults |= {name: edge for name, edge in (("min", low), ("max", high)) if edge is not None}
    panel["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in (colours or {}).items()
    ]
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def bars(title: str, description: str, query: Query, *, unit: str) -> dict[str, Any]:
    """The present value of each series as a bar, largest first."""
    panel = _panel("bargauge", title, description, [query], unit=unit, instant=True)
    panel["fieldConfig"]["defaults"]["min"] = 0
    panel["options"] = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    return panel


def table(
    title: str,
    description: str,
    query: Query,
    columns: Sequence[str],
    value: str,
) -> dict[str, Any]:
    """One row a series: the labels ``columns`` in this order, then its value, called ``value``."""
    panel = _panel("table", title, description, [query], unit="short", instant=True)
    panel["transformations"] = [
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {name: place for place, name in enumerate([*columns, "Value"])},
                "renameByName": {"Value": value},
            },
        }
    ]
    panel["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": "severity"},
            "properties": [
                {"id": "custom.cellOptions", "value": {"type": "color-text"}},
                {
                    "id": "mappings",
                    "value": [
                        {
                            "type": "value",
                            "options": {
                                severity: {"color": colour, "index": place}
                                for place, (severity, colour) in enumerate(SEVERITY_COLOURS.items())
                            },
                        }
                    ],
                },
            ],
        }
    ]
    panel["options"] = {
        "cellHeight": "sm",
        "showHeader": True,
        "sortBy": [{"displayName": "severity", "desc": False}],
    }
    return panel


def row(title: str) -> dict[str, Any]:
    """A heading over the panels that follow."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}
