"""What each path answers, without sockets."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec
import pytest
from tests.serve.building import Service, alert

from hubblewatch.serve.answers import takes_gzip


def body(service: Service, target: str) -> Any:
    return msgspec.json.decode(service.answers.get(target, {}).body)


def test_healthz_is_green_without_lag() -> None:
    service = Service()
    assert service.answers.get("/healthz", {}).status == 200


def test_healthz_is_red_with_the_name_of_what_is_stuck() -> None:
    service = Service()
    service.health.lag("partition-3", 10)
    service.clock.advance(46)
    response = service.answers.get("/healthz", {})
    assert response.status == 503
    assert msgspec.json.decode(response.body)["components"]["partition-3"]["healthy"] is False


def test_readyz_is_red_until_ready_is_set() -> None:
    service = Service()
    assert service.answers.get("/readyz", {}).status == 503
    service.health.set_ready()
    assert service.answers.get("/readyz", {}).status == 200


def test_metrics_are_text_by_default() -> None:
    response = Service().answers.get("/metrics", {})
    assert response.content_type.startswith("text/plain; version=0.0.4")
    assert b'hubblewatch_build_info{python="' in response.body
    assert not response.body.endswith(b"# EOF\n")


def test_metrics_are_openmetrics_when_asked_for_as_prometheus_asks() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    response = Service().answers.get("/metrics", {"accept": accept})
    assert response.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert response.body.endswith(b"# EOF\n")


def test_nothing_of_the_accept_header_is_echoed() -> None:
    accept = "application/openmetrics-text; version=1.0.0\r\n X-Evil: 1"
    response = Service().answers.get("/metrics", {"accept": accept})
    assert "evil" not in repr((response.content_type, response.headers)).lower()


def test_metrics_are_gzipped_for_who_takes_it() -> None:
    service = Service()
    response = service.answers.get("/metrics", {"accept-encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"hubblewatch_flows_total" in gzip.decompress(response.body)


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("GZIP", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("", False),
    ],
)
def test_gzip_is_taken_only_where_it_is_offered(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_alerts_are_listed_and_filtered() -> None:
    service = Service()
    service.board.record(alert("a", namespace="shop"))
    service.board.record(alert("b", namespace="bank"))
    assert [one["incident"] for one in body(service, "/api/alerts")["alerts"]] == ["b", "a"]
    filtered = body(service, "/api/alerts?namespace=shop&severity=warning")
    assert [one["incident"] for one in filtered["alerts"]] == ["a"]
    assert filtered["matching"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "status=burning",
        "limit=-1",
        "limit=many",
        "limit=" + "9" * 5_000,
        "limit=²",
        "nonsense=1",
        "&".join(f"a{n}=1" for n in range(50)),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(query: str) -> None:
    assert Service().answers.get(f"/api/alerts?{query}", {}).status == 400


def test_a_limit_beyond_the_largest_is_the_largest() -> None:
    service = Service()
    for number in range(1_010):
        service.board.record(alert(str(number)))
    assert len(body(service, "/api/alerts?limit=5000")["alerts"]) == 1_000


@pytest.mark.parametrize("target", ["/nowhere", "/metrics/", "/../etc/passwd", "//", "/%2e%2e", ""])
def test_any_other_path_is_not_found(target: str) -> None:
    assert Service().answers.get(target, {}).status == 404


def test_the_index_names_the_paths() -> None:
    response = Service().answers.get("/", {})
    assert response.content_type.startswith("text/html")
    assert b"/api/alerts" in response.body


def test_an_answer_that_fails_is_a_500_without_its_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Service()

    def broken() -> float:
        raise RuntimeError("the inside")

    service.health.measure_lag("loop", broken)
    response = service.answers.get("/healthz", {})
    assert response.status == 500
    assert b"inside" not in response.body
    assert "the inside" in caplog.text
