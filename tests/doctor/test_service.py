from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.serve.building import Service, alert

from hubblewatch.doctor.namespace import incidents_of_service
from hubblewatch.doctor.result import CheckResult, Status
from hubblewatch.doctor.service import check_service
from hubblewatch.doctor.web import PageError, ServicePages
from hubblewatch.errors import ConfigurationError
from hubblewatch.serve import Server


class FixedPages:
    """Answers the same to every path."""

    url = "http://other:80"

    def __init__(self, status: int, body: bytes) -> None:
        self._answer = (status, body)

    def get(self, path: str) -> tuple[int, bytes]:
        return self._answer


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def pages(service: Service) -> Iterator[ServicePages]:
    with Server(service.answers, "127.0.0.1", 0) as server:
        yield ServicePages(f"http://127.0.0.1:{server.port}/")


def by_id(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.id: result for result in results}


def test_a_service_that_works_passes(service: Service, pages: ServicePages) -> None:
    service.health.set_ready()
    service.health.progress("partition 0")
    results = by_id(check_service(pages))
    assert {result.status for result in results.values()} == {Status.PASS}
    assert results["service.health"].detail == "healthy, 1 component at work"


def test_a_stuck_component_fails_by_name(service: Service, pages: ServicePages) -> None:
    service.health.lag("partition 3", 70)
    service.health.explain("partition 3", "refused; grant it")
    service.clock.advance(1_000)
    health = by_id(check_service(pages))["service.health"]
    assert health.status is Status.FAIL
    assert "partition 3 (lag 70, nothing moved for 1000 s: refused; grant it)" in health.detail


def test_a_service_that_has_not_begun_warns(pages: ServicePages) -> None:
    assert by_id(check_service(pages))["service.ready"].status is Status.WARN


def test_without_url_all_is_skipped() -> None:
    assert {result.status for result in check_service(None)} == {Status.SKIP}


def test_a_service_that_is_not_reached_fails_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    results = check_service(ServicePages(f"http://127.0.0.1:{port}"))
    assert [result.status for result in results] == [Status.FAIL, Status.SKIP, Status.SKIP]
    assert "Connection refused" in results[0].detail


def test_another_service_is_told() -> None:
    results = by_id(check_service(FixedPages(200, b"<html>hello</html>")))
    assert {result.status for result in results.values()} == {Status.FAIL}
    assert "another service" in results["service.metrics"].remedy


def test_metrics_of_another_service_fail() -> None:
    results = by_id(check_service(FixedPages(200, b"up 1\n")))
    assert "no metric hubblewatch_" in results["service.metrics"].detail


@pytest.mark.parametrize("url", ["localhost:9464", "ftp://here", "http://", "http://h:port"])
def test_a_url_that_is_none_is_wrong_use(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--url"):
        ServicePages(url)


def test_incidents_are_those_of_the_namespace(service: Service, pages: ServicePages) -> None:
    service.board.record(alert("ours"))
    service.board.record(alert("other", namespace="web"))
    service.board.record(alert("over", status="resolved"))
    assert [found.incident for found in incidents_of_service("shop", pages)] == ["ours"]


def test_a_service_without_alerts_is_told() -> None:
    with pytest.raises(PageError, match="answers 404"):
        incidents_of_service("shop", FixedPages(404, b'{"error": "no"}'))
