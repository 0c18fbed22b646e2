"""All families together: names, help texts, and what Prometheus's own linter says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.metrics.building import Alert, ClosedNow, Counts, metrics

from hubblewatch.metrics import Metrics

ALLOWED_LABELS = {
    *("detector", "severity", "status", "namespace", "workload", "verdict", "protocol", "outcome"),
    *("source", "reason", "partition", "state", "entry", "family"),
    *("model", "version", "mode", "python"),
}


def busy() -> Metrics:
    """Metrics with a sample in every family."""
    observed = metrics(clock=lambda: 1_700_000_100.0, cap=2)
    hostile = ["shop\nx 1", 'a"b', "nul\x00", "\ud800", "y" * 5_000, "ok"]
    observed.observe_closing(
        ClosedNow(
            attempts={(name, "tcp", "allowed"): 1 for name in hostile},
            alerts=[
                *(Alert(name, namespace=name, workload=name) for name in hostile),
                Alert("trial", shadow=True),
            ],
            suppressed={"backup": 1},
        )
    )
    observed.observe_intake(Counts(newest_event_ns=10**18, watermark_ns=10**18))
    observed.observe_scores([("shop", "cart", 0.5)])
    observed.set_consumer_lag("0", 3)
    observed.set_model("forest", "1", "active")
    return observed


def test_every_family_of_ours_has_the_prefix_a_help_text_and_only_allowed_labels() -> None:
    ours = [f for f in busy().registry.collect() if not re.match("process|python", f.name)]
    assert len(ours) > 20
    for family in ours:
        assert family.name.startswith("hubblewatch_")
        assert family.documentation.endswith((".", ").")), family.name
        assert family.samples, f"{family.name} has no sample"
        for one in family.samples:
            assert set(one.labels) <= ALLOWED_LABELS


def test_the_families_of_the_process_are_there_too() -> None:
    names = {family.name for family in metrics().registry.collect()}
    assert {"python_info", "python_gc_collections", "process_resident_memory_bytes"} <= names


def test_two_instances_share_nothing() -> None:
    first, second = metrics(), metrics()
    first.observe_closing(ClosedNow())
    assert second.families.windows_closed_total.get(()) == 0


def test_a_registry_refuses_the_families_a_second_time() -> None:
    registry = CollectorRegistry()
    Metrics(registry, version="1")
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry, version="1")


def test_counters_of_closed_sets_start_at_zero() -> None:
    text = generate_latest(metrics().registry).decode()
    assert 'hubblewatch_rejected_lines_total{reason="malformed"} 0.0' in text
    assert 'hubblewatch_lost_events_total{source="other"} 0.0' in text
    assert "hubblewatch_late_flows_total 0.0" in text


def test_the_exposition_is_valid_openmetrics() -> None:
    encode, _ = choose_encoder("application/openmetrics-text")
    families = list(text_string_to_metric_families(encode(busy().registry).decode()))
    assert any(family.name == "hubblewatch_alerts_active" for family in families)


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None and os.environ.get("HUBBLEWATCH_REQUIRE_PROMTOOL") == "1":
        pytest.fail("promtool is required here and not installed")
    if found is None:
        pytest.skip("promtool is not installed (it comes with the prometheus package)")
    return found


def lint(promtool: str, exposition: bytes) -> tuple[int, str]:
    ran = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposition,
        capture_output=True,
        timeout=30,
        check=False,
    )
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_promtool_has_nothing_to_say(promtool: str) -> None:
    assert lint(promtool, generate_latest(busy().registry)) == (0, "")


def test_promtool_would_find_a_bad_name(promtool: str) -> None:
    code, said = lint(promtool, b"# TYPE flows counter\nflows 1\n")
    assert code != 0
    assert "_total" in said
