"""The alert rules: what they ask for exists, and each fires and stays quiet when it should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.stack.live import Samples, everything_scraped
from tests.stack.programs import promtool, run
from tests.stack.queries import wishes_unmet

ROOT = Path(__file__).parents[2]
RULES_FILE = ROOT / "deploy/prometheus/rules/hubblewatch.yaml"
TESTS_FILE = Path(__file__).parent / "rules/hubblewatch.test.yaml"
DOCUMENTATION = ROOT / "docs/alerts.md"
DOCUMENTATION_URL = "https://github.com/hubblewatch/hubblewatch/blob/main/docs/alerts.md"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]
]
CASES: list[dict[str, Any]] = [
    case
    for test in yaml.safe_load(TESTS_FILE.read_text())["tests"]
    for case in test.get("alert_rule_test", ())
]


def named(rule: dict[str, Any]) -> str:
    return f"{rule['alert']}-{rule['labels']['severity']}"


each_rule = pytest.mark.parametrize("rule", RULES, ids=named)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return everything_scraped()


@each_rule
def test_a_rule_asks_only_for_what_the_service_exports(
    rule: dict[str, Any], samples: Samples
) -> None:
    assert wishes_unmet(rule["expr"], samples) == []


@each_rule
def test_a_rule_has_a_prefix_a_severity_and_texts(rule: dict[str, Any]) -> None:
    assert re.fullmatch("Hubblewatch([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())


@each_rule
def test_a_runbook_is_where_the_rule_says(rule: dict[str, Any]) -> None:
    page, _, section = rule["annotations"]["runbook_url"].partition("#")
    if "{{ $labels.detector }}" in page:
        assert page.startswith("https://github.com/hubblewatch/hubblewatch/blob/main/docs/runbooks")
        return
    assert page == DOCUMENTATION_URL
    assert section == rule["alert"].lower()
    assert f"\n## {rule['alert']}\n" in DOCUMENTATION.read_text()


@each_rule
def test_a_rule_is_tested_firing_and_quiet(rule: dict[str, Any]) -> None:
    ours = [case for case in CASES if case["alertname"] == rule["alert"]]
    fired = [alert for case in ours for alert in case["exp_alerts"]]
    assert any(a["exp_labels"]["severity"] == rule["labels"]["severity"] for a in fired)
    assert any(not case["exp_alerts"] for case in ours)


def test_every_rule_is_documented_and_nothing_else_is() -> None:
    documented = re.findall(r"^## (Hubblewatch\w+)$", DOCUMENTATION.read_text(), re.MULTILINE)
    assert documented == list(dict.fromkeys(rule["alert"] for rule in RULES))


@pytest.mark.stack
def test_promtool_accepts_the_rules() -> None:
    code, said = run(promtool(), "check", "rules", "--lint=all", "--lint-fatal", str(RULES_FILE))
    assert code == 0, said
    assert f"{len(RULES)} rules found" in said


@pytest.mark.stack
def test_promtool_accepts_the_configuration() -> None:
    code, said = run(promtool(), "check", "config", str(ROOT / "deploy/prometheus/prometheus.yaml"))
    assert code == 0, said
    assert "1 rule files found" in said


@pytest.mark.stack
def test_the_rules_fire_and_stay_quiet_as_told() -> None:
    code, said = run(promtool(), "test", "rules", str(TESTS_FILE))
    assert code == 0, said
    assert "SUCCESS" in said


@pytest.mark.stack
def test_promtool_would_tell_a_rule_that_does_not_fire(tmp_path: Path) -> None:
    dull = RULES_FILE.read_text().replace("hubblewatch_nodes{", "hubblewatch_knots{")
    (tmp_path / "rules.yaml").write_text(dull)
    tests = TESTS_FILE.read_text().replace("../../../deploy/prometheus/rules/hubblewatch", "rules")
    (tmp_path / "tests.yaml").write_text(tests)
    code, said = run(promtool(), "test", "rules", str(tmp_path / "tests.yaml"))
    assert code != 0
    assert "HubblewatchNodesNotSeen" in said
