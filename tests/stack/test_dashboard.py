"""The Grafana dashboard: what Grafana needs, and no panel that asks for what nobody exports."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml
from deploy.grafana.dashboard import FILE, text
from tests.stack.live import Samples, everything_scraped
from tests.stack.queries import wishes_unmet

DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]
PROVISIONING = FILE.parents[1] / "provisioning"

UNITS = {"short", "s", "bytes", "percentunit", "Bps", "cps", "eps", "ops", "opm"}
"""Grafana's names for the units used here; a name it does not know is shown as it stands."""

each_panel = pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])


@pytest.fixture(scope="module")
def samples() -> Samples:
    return everything_scraped()


def as_prometheus_gets_it(expression: str) -> str:
    """The expression as Grafana sends it, with its variables filled in."""
    return (
        re.sub(r"\$(cluster|namespace)\b", ".*", expression)
        .replace("$__rate_interval", "1m")
        .replace("$__range", "3h")
    )


def queries() -> list[str]:
    return [target["expr"] for panel in DRAWN for target in panel["targets"]]


def test_the_file_is_what_the_generator_writes() -> None:
    assert FILE.read_text() == text(), "python -m deploy.grafana.dashboard writes it anew"


def test_grafana_knows_it_by_a_fixed_uid_and_a_known_schema() -> None:
    assert DASHBOARD["uid"] == "hubblewatch"
    assert "id" not in DASHBOARD
    assert 36 <= DASHBOARD["schemaVersion"] <= 41


def test_panel_ids_are_unique() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))


def test_no_panel_leaves_the_grid_or_covers_another() -> None:
    def covers(one: dict[str, int], two: dict[str, int]) -> bool:
        return (
            one["x"] < two["x"] + two["w"]
            and two["x"] < one["x"] + one["w"]
            and one["y"] < two["y"] + two["h"]
            and two["y"] < one["y"] + one["h"]
        )

    places = [panel["gridPos"] for panel in PANELS]
    assert all(p["x"] >= 0 and p["y"] >= 0 and p["x"] + p["w"] <= 24 for p in places)
    assert not any(covers(one, two) for one, two in combinations(places, 2))


@each_panel
def test_a_panel_has_title_description_and_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS


@each_panel
def test_a_panel_asks_the_chosen_data_source_for_the_chosen_cluster(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(references) == len(set(references))
    for target in panel["targets"]:
        selectors = re.findall(r"\b(?:hubblewatch|process)_\w+(\{[^}]*\})?", target["expr"])
        assert selectors
        assert all('cluster=~"$cluster"' in selector for selector in selectors)


@each_panel
def test_a_panel_asks_only_for_what_the_service_exports(
    panel: dict[str, Any], samples: Samples
) -> None:
    for target in panel["targets"]:
        assert wishes_unmet(as_prometheus_gets_it(target["expr"]), samples) == []


@each_panel
def test_a_legend_names_only_labels_that_are_there(panel: dict[str, Any], samples: Samples) -> None:
    for target in panel["targets"]:
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            grouped = f"sum by ({label}) ({as_prometheus_gets_it(target['expr'])})"
            assert wishes_unmet(grouped, samples) == []


def test_variables_ask_for_labels_that_are_there(samples: Samples) -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "cluster", "namespace"]
    for name in ("cluster", "namespace"):
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", variables[name]["query"]["query"])
        assert found is not None
        selector = as_prometheus_gets_it(found[1])
        assert wishes_unmet(f"sum by ({found[2]}) ({selector})", samples) == []


def test_the_dashboard_shows_all_that_the_rules_alert_on() -> None:
    shown = " ".join(queries())
    rules = (FILE.parents[2] / "prometheus/rules/hubblewatch.yaml").read_text()
    exprs = [rule["expr"] for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    alerted = set(re.findall(r"\bhubblewatch_\w+", " ".join(exprs)))
    # What runs is named by the model's own panels once there is a model to show.
    assert {name for name in alerted if name not in shown} <= {"hubblewatch_model_info"}


def test_grafana_is_provisioned_with_the_folder_that_is_mounted() -> None:
    [provider] = yaml.safe_load((PROVISIONING / "dashboards/hubblewatch.yaml").read_text())[
        "providers"
    ]
    [source] = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    compose = yaml.safe_load((FILE.parents[3] / "docker-compose.yml").read_text())
    mounts = [volume.rpartition(":")[0] for volume in compose["services"]["grafana"]["volumes"]]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}" in mounts
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning" in mounts
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose["services"]
