"""The compose file: valid by a strict parser, and hardened. It is not started here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from deploy.local.kafka.jars import kafka_version
from typer.core import TyperGroup as Group
from typer.main import get_command

from hubblewatch import __version__
from hubblewatch.cli.app import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
ONCE = {"topics"}

each_service = pytest.mark.parametrize("name", SERVICES)


def test_a_strict_parser_accepts_it() -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(TEXT)))
    parsed.validate()
    assert set(parsed.service_names()) == set(SERVICES)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read_only:", "readonly:"),
        ("condition: service_healthy", "condition: service_fine"),
        ("mem_limit: 1g", "mem_limit: lots"),
        ("127.0.0.1:9090:9090", "127.0.0.1:99090:9090"),
    ],
)
def test_the_parser_would_find_a_mistake(right: str, wrong: str) -> None:
    assert right in TEXT
    mistaken = yaml.safe_dump(yaml.safe_load(TEXT.replace(right, wrong)))
    with pytest.raises(ValueError, match=r"\S"):
        PyCompose.from_yaml(mistaken)


@each_service
def test_a_service_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert not service.get("privileged")
    assert service.get("network_mode") is None


@each_service
def test_a_service_has_its_share_of_the_machine(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["cpus"] <= 2
    assert 0 < service["pids_limit"] <= 512


@each_service
def test_a_service_is_of_an_exact_version(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), image


@each_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


@each_service
def test_what_is_mounted_from_here_is_there_and_cannot_be_written(name: str) -> None:
    named = set(yaml.safe_load(TEXT)["volumes"])
    for volume in SERVICES[name].get("volumes", ()):
        source, _target, *mode = volume.split(":")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert mode == ["ro"]
        else:
            assert source in named


@each_service
def test_who_waits_for_a_service_waits_for_what_it_can_show(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        target = SERVICES[other]
        if other in ONCE:
            assert how["condition"] == "service_completed_successfully"
            assert target["restart"] == "no"
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in target or target["image"].startswith("hubblewatch:")


def test_what_ends_is_not_begun_again_and_all_else_comes_back() -> None:
    restarts = {name: service["restart"] for name, service in SERVICES.items()}
    assert restarts.pop("topics") == "no"
    assert restarts.pop("exporter") == "on-failure"
    assert set(restarts.values()) == {"unless-stopped"}


@pytest.mark.parametrize("name", ["topics", "exporter", "worker"])
def test_what_is_called_of_ours_is_there(name: str) -> None:
    command, *options = SERVICES[name]["command"]
    ours = get_command(app)
    assert isinstance(ours, Group)
    known = {opt for param in ours.commands[command].params for opt in param.opts}
    assert {option for option in options if option.startswith("-")} <= known


def test_versions_are_those_of_the_rest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert SERVICES["worker"]["image"] == f"hubblewatch:{__version__}"
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_kafka_listens_and_is_advertised_where_the_others_look() -> None:
    lines = (ROOT / "deploy/compose/kafka.properties").read_text().splitlines()
    kafka = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    server = SERVICES["worker"]["environment"]["HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS"]
    assert f"INSIDE://{server}" in kafka["advertised.listeners"]
    assert "OUTSIDE://localhost:9094" in kafka["advertised.listeners"]
    assert SERVICES["kafka"]["ports"] == ["127.0.0.1:9094:9094"]
    assert kafka["auto.create.topics.enable"] == "false"
    [volume] = [v for v in SERVICES["kafka"]["volumes"] if not v.startswith("./")]
    assert volume == f"kafka:{kafka['log.dirs']}"


def test_prometheus_finds_worker_exporter_and_alertmanager_by_their_names() -> None:
    found = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    jobs = {job["job_name"]: job["dns_sd_configs"] for job in found["scrape_configs"]}
    [worker], [exporter] = jobs["hubblewatch"], jobs["hubblewatch-exporter"]
    assert worker["names"] == ["worker"]
    assert f":{worker['port']}" in SERVICES["worker"]["ports"][0]
    assert exporter["names"] == ["exporter"]
    assert exporter["port"] == worker["port"]
    assert "--serve" in SERVICES["exporter"]["command"]
    [alertmanagers] = found["alerting"]["alertmanagers"][0]["static_configs"]
    assert alertmanagers["targets"] == ["alertmanager:9093"]
    assert all(job["honor_labels"] is True for job in found["scrape_configs"])


def test_grafana_has_no_administrator_and_asks_nobody_outside() -> None:
    variables = SERVICES["grafana"]["environment"]
    assert variables["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert variables["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert variables["GF_ANALYTICS_REPORTING_ENABLED"] == "false"
