"""The checks of Hubble: with a scripted survey, and with a server that answers over gRPC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from deploy.local.kafka.certificates import Authority
from google.protobuf.wrappers_pb2 import UInt32Value
from tests.source.hubble.observer import Observer, loss_now, relay_node

from hubblewatch.doctor.hubble import (
    HubbleTools,
    check_clock,
    check_hubble,
    check_nodes,
    check_ring,
    check_tls,
    flow_rates,
)
from hubblewatch.doctor.namespace import last_flows
from hubblewatch.doctor.result import CheckResult, Status
from hubblewatch.doctor.visibility import check_layer7, check_losses, check_policy_verdicts
from hubblewatch.flow.schema import DNS, EventType, Flow, Layer7
from hubblewatch.settings import FlowFilterSettings, HubbleSettings, HubbleTLSSettings, Settings
from hubblewatch.source.hubble import survey as survey_module
from hubblewatch.source.hubble.certificate import ServerCertificate
from hubblewatch.source.hubble.counts import ReconnectReason
from hubblewatch.source.hubble.proto import observer_pb2, relay_pb2
from hubblewatch.source.hubble.survey import FlowSample, HubbleSurvey, RingStatus, ServerReport
from hubblewatch.source.hubble.trouble import HubbleTroubleError

NOW = 1_800_000_000.0
RINGS = (RingStatus("node-a", 4_095, 10_000, 100.0),)
HUBBLE = HubbleSettings(address="relay:80")


class ScriptedSurvey:
    """Answers as told; ``fails_at`` says which question finds Hubble gone."""

    def __init__(self, *reports: ServerReport, sample: FlowSample, fails_at: int = 99) -> None:
        self._reports = list(reports)
        self._sample = sample
        self._left = fails_at

    def status(self) -> ServerReport:
        self._ask()
        return self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]

    def sample(
        self, number: int, seconds: float, nodes: int = 1, only: FlowFilterSettings | None = None
    ) -> FlowSample:
        self._ask()
        return self._sample

    def _ask(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise HubbleTroubleError(ReconnectReason.UNREACHABLE, "no connection; check it")


def flows(count: int, kind: int = 4, **members: Any) -> tuple[Flow, ...]:
    return tuple(Flow(event_type=EventType(kind), **members) for _ in range(count))


def report(seen: int = 10_000, **what: Any) -> ServerReport:
    return ServerReport("1.17.3", (RingStatus("node-a", 4_095, seen, 100.0),), **what)


def tools_of(survey: ScriptedSurvey, **others: Any) -> HubbleTools:
    seconds = iter(range(100))
    given: dict[str, Any] = {
        "survey": lambda _: nullcontext(survey),
        "clock": lambda: NOW,
        "steady": lambda: float(next(seconds)),
        "pause": lambda _: None,
    }
    return HubbleTools(**(given | others))


def by_id(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.id: result for result in results}


def test_without_an_address_all_is_skipped_and_nobody_is_asked() -> None:
    survey = ScriptedSurvey(report(), sample=FlowSample(()), fails_at=0)
    results = check_hubble(Settings(), tools_of(survey))
    assert {result.status for result in results} == {Status.SKIP}
    assert all("hubble.address is not set" in result.detail for result in results)


def test_a_hubble_that_shows_all_passes() -> None:
    dns = Layer7("RESPONSE", dns=DNS("db.shop."))
    seen = (*flows(60), *flows(30, 5), *flows(10, 129, l7=dns))
    survey = ScriptedSurvey(
        report(10_000, connected=3),
        report(10_200, connected=3),
        sample=FlowSample(seen, newest_ns=round((NOW - 1) * 1e9)),
    )
    found = by_id(check_hubble(Settings(hubble=HUBBLE), tools_of(survey)))
    assert {check for check, result in found.items() if result.status is not Status.PASS} == {
        "hubble.tls"
    }
    assert "Hubble 1.17.3 answers at relay:80" in found["hubble.connection"].detail
    assert "30.0% of 100" in found["hubble.policy-verdicts"].detail


def test_a_hubble_that_is_not_reached_fails_once() -> None:
    survey = ScriptedSurvey(report(), sample=FlowSample(()), fails_at=0)
    results = check_hubble(Settings(hubble=HUBBLE), tools_of(survey))
    assert [result.id for result in results if result.status is Status.FAIL] == [
        "hubble.connection"
    ]
    assert (results[0].detail, results[0].remedy) == ("no connection", "check it")


def test_a_hubble_that_goes_away_meanwhile_is_told() -> None:
    survey = ScriptedSurvey(report(), sample=FlowSample(()), fails_at=1)
    found = by_id(check_hubble(Settings(hubble=HUBBLE), tools_of(survey)))
    assert found["hubble.connection"].status is Status.PASS
    assert found["hubble.losses"].status is Status.FAIL
    assert found["hubble.ring"].status is Status.SKIP


def test_a_certificate_that_expires_soon_warns() -> None:
    settings = HubbleSettings(address="relay:443", tls=HubbleTLSSettings(enabled=True))
    survey = ScriptedSurvey(report(), sample=FlowSample(()))
    soon = ServerCertificate(("relay",), "relay", NOW + 3 * 86_400)
    tools = tools_of(survey, certificate=lambda _: soon)
    result = by_id(check_hubble(Settings(hubble=settings), tools))["hubble.tls"]
    assert result.status is Status.WARN
    assert "for relay fits relay, and expires in 3.0 days" in result.detail


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"connected": None}, Status.PASS),
        ({"connected": 4}, Status.PASS),
        ({"connected": 4, "unavailable": 1, "unavailable_nodes": ("node-b",)}, Status.WARN),
        ({"connected": 0, "unavailable": 3}, Status.FAIL),
    ],
)
def test_nodes_that_relay_does_not_reach_are_told(given: dict[str, Any], status: Status) -> None:
    result = check_nodes(report(**given))
    assert result.status is status
    assert all(name in result.detail for name in given.get("unavailable_nodes", ()))


def test_the_busiest_ring_tells_how_long_an_exporter_may_be_away() -> None:
    before = ServerReport("", (RingStatus("a", 4_095, 0, 9.0), RingStatus("b", 4_095, 0, 9.0)))
    after = ServerReport(
        "", (RingStatus("a", 4_095, 20, 11.0), RingStatus("b", 4_095, 1_000, 11.0))
    )
    rates = flow_rates(before, after, 2.0)
    assert rates == {"a": 10.0, "b": 500.0}
    result = check_ring(after, rates)
    assert result.status is Status.WARN
    assert "510.0 flows/s; the ring of b holds 8 s" in result.detail


def test_an_agent_that_restarted_meanwhile_is_taken_at_its_mean_rate() -> None:
    before = ServerReport("", (RingStatus("a", 4_095, 9_000, 500.0),))
    after = ServerReport("", (RingStatus("a", 4_095, 50, 1.0),))
    assert flow_rates(before, after, 2.0) == {"a": 50.0}


def test_a_quiet_ring_passes() -> None:
    assert check_ring(report(), {"node-a": 0.0}).status is Status.PASS


@pytest.mark.parametrize(
    ("lost", "status"),
    [
        ({}, Status.PASS),
        ({"PERF_EVENT_RING_BUFFER": 1}, Status.PASS),
        ({"HUBBLE_RING_BUFFER": 500}, Status.PASS),
        ({"OBSERVER_EVENTS_QUEUE": 100}, Status.WARN),
    ],
)
def test_losses_warn_from_one_percent_on(lost: dict[str, int], status: Status) -> None:
    assert check_losses(FlowSample(flows(900), lost=lost)).status is status


def test_messages_that_cannot_be_read_fail() -> None:
    assert check_losses(FlowSample(flows(9), rejected=1)).status is Status.FAIL


def test_flows_without_policy_verdicts_warn_with_what_that_costs() -> None:
    result = check_policy_verdicts(FlowSample(flows(100)), HUBBLE)
    assert result.status is Status.WARN
    assert "name no policy" in result.detail
    assert "hubble.only" not in result.remedy


def test_filters_of_the_settings_are_named_where_they_may_be_the_reason() -> None:
    filtered = HubbleSettings(address="relay:80", only=FlowFilterSettings(types=("drop",)))
    assert "hubble.only" in check_policy_verdicts(FlowSample(flows(100)), filtered).remedy


def test_flows_without_dns_warn_with_what_that_costs() -> None:
    result = check_layer7(FlowSample(flows(100)), HUBBLE)
    assert result.status is Status.WARN
    assert "the DNS detector sees nothing" in result.detail


def test_of_few_flows_nothing_is_concluded() -> None:
    few = FlowSample(flows(49))
    assert check_policy_verdicts(few, HUBBLE).status is Status.SKIP
    assert check_layer7(few, HUBBLE).status is Status.SKIP


@pytest.mark.parametrize(
    ("age", "rate", "status"),
    [
        (0.5, 100.0, Status.PASS),
        (-1.0, 100.0, Status.PASS),
        (-60.0, 0.0, Status.WARN),
        (600.0, 0.1, Status.PASS),
        (600.0, 100.0, Status.WARN),
    ],
)
def test_clocks_that_differ_warn(age: float, rate: float, status: Status) -> None:
    sample = FlowSample(flows(1), newest_ns=round((NOW - age) * 1e9))
    assert check_clock(sample, NOW, rate).status is status


def test_without_flows_there_is_no_clock_to_compare_with() -> None:
    assert check_clock(FlowSample(()), NOW, 0.0).status is Status.SKIP


QUICK: dict[str, Any] = {"connect_timeout_seconds": 1.0, "check_timeout_seconds": 0.5}


@pytest.fixture
def observer() -> Iterator[Observer]:
    served = Observer().start()
    yield served
    served.hangs = False
    served.stop()


def settings_of(observer: Observer, **others: Any) -> Settings:
    return Settings(hubble=HubbleSettings(address=observer.address, **(QUICK | others)))


def test_a_real_server_is_examined(observer: Observer) -> None:
    observer.add(*(f"flow-{number}" for number in range(2_100)))
    observer.ring.insert(2_099, (time.time_ns(), loss_now(100)))
    found = by_id(check_hubble(settings_of(observer), HubbleTools(pause=lambda _: None)))
    assert found["hubble.connection"].status is Status.PASS
    assert "Hubble test answers" in found["hubble.connection"].detail
    assert found["hubble.policy-verdicts"].status is Status.WARN
    assert found["hubble.clock"].status is Status.PASS
    (request,) = observer.requests
    assert (request.number, request.follow) == (2_000, False)


def test_relays_nodes_are_asked_for_their_rings(observer: Observer) -> None:
    observer.nodes = [relay_node("a", 50), relay_node("b", 90, relay_pb2.NODE_UNAVAILABLE)]
    with HubbleSurvey(settings_of(observer).hubble) as survey:
        assert [ring.node for ring in survey.status().rings] == ["a"]


def test_relays_own_count_of_nodes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = Observer()
    answer = observer_pb2.ServerStatusResponse(
        num_connected_nodes=UInt32Value(value=2),
        num_unavailable_nodes=UInt32Value(value=1),
        unavailable_nodes=["node-c"],
        version="1.17.3",
    )
    monkeypatch.setattr(observer, "_status", lambda *_: answer.SerializeToString())
    observer.start()
    try:
        with HubbleSurvey(settings_of(observer).hubble) as survey:
            found = survey.status()
    finally:
        observer.stop()
    assert (found.connected, found.unavailable, found.unavailable_nodes) == (2, 1, ("node-c",))


def test_a_server_that_hangs_is_given_up_on_in_time(observer: Observer) -> None:
    observer.hangs = True
    began = time.monotonic()
    found = by_id(check_hubble(settings_of(observer), HubbleTools()))
    assert time.monotonic() - began < 4
    assert found["hubble.connection"].status is Status.FAIL


def test_a_sample_ends_in_time_with_what_came(observer: Observer) -> None:
    observer.add("a", "b")
    with HubbleSurvey(settings_of(observer).hubble) as survey:
        sample = survey.sample(100, 0.5)
    assert ([flow.uuid for flow in sample.flows], sample.is_complete) == (["a", "b"], False)


def test_of_relays_flows_the_newest_are_kept_and_each_node_is_asked_for_its_share(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_module, "MAX_MESSAGES", 2)
    observer.add("a", "b", "c", "d")
    with HubbleSurvey(settings_of(observer).hubble) as survey:
        sample = survey.sample(300, 0.5, nodes=3)
    assert [flow.uuid for flow in sample.flows] == ["c", "d"]
    assert [request.number for request in observer.requests] == [100]


def test_a_sample_that_is_cut_short_says_nothing_of_clocks() -> None:
    sample = FlowSample(flows(1), newest_ns=round((NOW - 600) * 1e9), is_complete=False)
    assert check_clock(sample, NOW, 100.0).status is Status.SKIP


def test_a_namespaces_flows_are_asked_for_by_its_name(observer: Observer) -> None:
    observer.add(*(f"flow-{number}" for number in range(2_000)))
    seen = last_flows("shop", settings_of(observer), HubbleTools())
    assert seen.flows == 2_000
    (request,) = observer.requests
    assert [list(one.source_pod) for one in request.whitelist] == [["shop/"], []]


@contextmanager
def served_over_tls(folder: Path) -> Iterator[Callable[..., Settings]]:
    """A server with a certificate for localhost; gives what makes settings for it."""
    folder.joinpath("ca").mkdir()
    authority = Authority(folder / "ca", "ca")
    files = authority.issue("server", ["localhost"], valid_for=timedelta(days=60))
    pair = (files.key_file.read_bytes(), files.cert_file.read_bytes())
    served = Observer(lambda: grpc.ssl_server_credentials([pair])).start()

    def settings(**tls: Any) -> Settings:
        given = {"enabled": True, "ca_file": authority.ca_file} | tls
        return settings_of(served, tls=given)

    try:
        yield settings
    finally:
        served.stop()


def test_tls_tells_the_name_and_the_end_of_the_certificate(tmp_path: Path) -> None:
    with served_over_tls(tmp_path) as settings:
        result = check_tls(settings().hubble, HubbleTools())
    assert result.status is Status.PASS
    assert "fits localhost, valid for" in result.detail


def test_a_certificate_for_another_name_is_told(tmp_path: Path) -> None:
    with served_over_tls(tmp_path) as settings:
        found = by_id(check_hubble(settings(server_name="elsewhere.example"), HubbleTools()))
    assert found["hubble.connection"].status is Status.FAIL
    assert found["hubble.tls"].status is Status.FAIL
    assert "not for elsewhere.example" in found["hubble.tls"].detail
    assert "hubble.tls.server_name" in found["hubble.tls"].remedy


def test_an_authority_that_did_not_sign_is_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other-ca")
    with served_over_tls(tmp_path) as settings:
        result = by_id(check_hubble(settings(ca_file=other.ca_file), HubbleTools()))["hubble.tls"]
    assert "not trusted" in result.detail
    assert "hubble.tls.ca_file" in result.remedy
