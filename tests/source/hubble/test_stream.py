from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from deploy.local.kafka.certificates import Authority
from tests.hubble.listening import Listening
from tests.source.hubble.observer import Observer, loss_now, now_ns, relay_node

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.schema import Line
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.counts import ReconnectReason
from hubblewatch.source.hubble.request import FIELDS
from hubblewatch.source.hubble.stream import HubbleStream
from hubblewatch.source.hubble.trouble import MissingNodesError
from hubblewatch.source.hubble.watch import Watch

QUICK: dict[str, Any] = {
    "check_seconds": 0.4,
    "check_timeout_seconds": 0.4,
    "backoff_seconds": 0.05,
    "max_backoff_seconds": 0.2,
    "connect_timeout_seconds": 2.0,
}


@pytest.fixture
def observer() -> Iterator[Observer]:
    served = Observer().start()
    served.add("before")
    yield served
    served.hangs = False
    served.stop()


def listening_to(observer: Observer, **settings: Any) -> Listening:
    return Listening(observer.address, **(QUICK | settings))


def opened(observer: Observer, count: int = 1) -> Callable[[], bool]:
    return lambda: len(observer.requests) >= count


def test_flows_from_the_start_on_arrive_and_earlier_ones_do_not(observer: Observer) -> None:
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        observer.add("a", "b", "c")
        listening.wait_until(lambda: listening.uuids == ["a", "b", "c"], 5)
    (request,) = observer.requests
    assert request.follow
    assert request.HasField("since")
    assert tuple(request.field_mask.paths) == FIELDS


def test_every_flow_arrives_once_though_the_stream_breaks_all_the_time(observer: Observer) -> None:
    observer.breaks_after = 7
    uuids = [f"flow-{number}" for number in range(100)]
    with listening_to(observer, overlap_seconds=0.2) as listening:
        listening.wait_until(opened(observer), 5)
        for uuid in uuids:
            observer.add(uuid)
            time.sleep(0.02)
        observer.breaks_after = None
        listening.wait_until(lambda: len(listening.flows) >= 100, 10)
    assert listening.uuids == uuids
    assert listening.stream.counts.reconnects["error"] > 5
    assert listening.stream.counts.duplicates > 0
    assert not listening.losses


def test_flows_that_came_with_the_last_straw_are_not_lost(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that gives the stream up may follow right upon flows that were taken."""
    real, given_up = Watch.check, []

    def check(watch: Watch, now: float, now_ns: int, messages: int, is_behind: bool) -> list[Line]:
        if messages >= 3 and not given_up:
            given_up.append(messages)
            raise MissingNodesError(ReconnectReason.MISSING_NODE, ["node-b"], [])
        return real(watch, now, now_ns, messages, is_behind)

    monkeypatch.setattr(Watch, "check", check)
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        observer.add("a", "b", "c")
        listening.wait_until(opened(observer, 2), 5)
        observer.add("d")
        listening.wait_until(lambda: "d" in listening.uuids, 5)
    assert given_up
    assert listening.uuids == ["a", "b", "c", "d"]


def test_a_restart_of_hubble_loses_nothing_that_its_ring_holds(observer: Observer) -> None:
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        observer.add("a", "b")
        listening.wait_until(lambda: len(listening.flows) == 2, 5)
        observer.stop()
        observer.add("meanwhile")
        time.sleep(0.5)
        observer.start()
        observer.add("after")
        listening.wait_until(lambda: len(listening.flows) >= 4, 10)
    assert listening.uuids == ["a", "b", "meanwhile", "after"]
    assert not listening.losses


def test_a_restart_that_empties_the_ring_is_told_as_a_gap(observer: Observer) -> None:
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        for number in range(40):
            observer.add(f"early-{number}")
            time.sleep(0.05)
        listening.wait_until(lambda: len(listening.flows) == 40, 5)
        observer.stop()
        observer.ring.clear()
        time.sleep(0.5)
        observer.start()
        observer.add("late")
        listening.wait_until(lambda: "late" in listening.uuids, 10)
    assert listening.lost()["stream-gap"] > 0


def test_a_stream_that_is_open_and_dead_is_opened_again(observer: Observer) -> None:
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        observer.add("a")
        listening.wait_until(lambda: len(listening.flows) == 1, 5)
        observer.hangs = True
        observer.add("b")
        listening.wait_until(lambda: listening.stream.counts.reconnects["silent"] == 1, 10)
        observer.hangs = False
        listening.wait_until(lambda: listening.uuids == ["a", "b"], 10)


def test_a_stream_that_brings_nothing_though_hubble_sees_flows_is_opened_again(
    observer: Observer,
) -> None:
    observer.hidden.add("node-a")
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        for number in itertools.count():
            observer.add(f"flow-{number}")
            time.sleep(0.05)
            if listening.stream.counts.reconnects["stalled"] or number > 100:
                break
        listening.wait_until(lambda: "flow-0" in listening.uuids, 5)


def test_a_node_that_vanished_from_the_stream_brings_a_new_one(observer: Observer) -> None:
    observer.nodes = [relay_node("node-a", 100), relay_node("node-b", 100)]
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        observer.hidden.add("node-b")
        for number in itertools.count(101):
            observer.add(f"a-{number}")
            observer.add(f"b-{number}", node="node-b")
            observer.nodes = [relay_node("node-a", number), relay_node("node-b", number)]
            time.sleep(0.05)
            if listening.stream.counts.reconnects["missing-node"] or number > 300:
                break
        listening.wait_until(lambda: f"b-{number}" in listening.uuids, 5)
        listening.wait_until(lambda: listening.states("node-b")[-1:] == ["NODE_CONNECTED"], 5)
    assert listening.states("node-b")[0] == "NODE_UNAVAILABLE"
    assert "b-101" in listening.uuids
    assert len(listening.uuids) == len(set(listening.uuids))


def test_states_that_relay_tells_when_asked_are_passed_on(observer: Observer) -> None:
    observer.nodes = [relay_node("node-a", 9), relay_node("node-b", 9)]
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        observer.add("a")
        observer.add("b", node="node-b")
        listening.wait_until(lambda: len(listening.flows) == 2, 5)
        observer.nodes = [relay_node("node-a", 10, state=4)]
        listening.wait_until(lambda: "NODE_ERROR" in listening.states("node-a"), 5)
        listening.wait_until(lambda: "NODE_GONE" in listening.states("node-b"), 5)
        assert listening.stream.counts.nodes["gone"] == 1
        observer.nodes = [relay_node("node-a", 10)]
        listening.wait_until(lambda: listening.states("node-a")[-1] == "NODE_CONNECTED", 5)


@pytest.mark.parametrize("told", ["invalid fieldmask", "invalid field mask: l4.TCP"])
def test_without_a_mask_that_hubble_refuses_all_fields_are_asked_for(
    observer: Observer, told: str
) -> None:
    observer.refuses_mask = told
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer, 2), 5)
        observer.add("a")
        listening.wait_until(lambda: listening.uuids == ["a"], 5)
    assert not observer.requests[-1].field_mask.paths
    assert listening.stream.counts.reconnects == {"field-mask": 1}


def test_a_mask_that_is_required_and_refused_stops_the_start(observer: Observer) -> None:
    observer.refuses_mask = "invalid fieldmask"
    listening = listening_to(observer, field_mask="on")
    with pytest.raises(ConfigurationError, match="field_mask"):
        list(itertools.islice(listening.stream.batches(), 100))


def test_a_filter_that_hubble_refuses_stops_the_start(observer: Observer) -> None:
    observer.refusal = (grpc.StatusCode.INVALID_ARGUMENT, "invalid selector")
    listening = listening_to(observer, only={"labels": ["=="]})
    with pytest.raises(ConfigurationError, match="invalid selector"):
        list(itertools.islice(listening.stream.batches(), 100))


def test_losses_and_flows_that_are_no_flows_are_counted(observer: Observer) -> None:
    rejects: list[Any] = []
    with listening_to(observer) as listening:
        listening.stream._on_reject = rejects.append
        listening.wait_until(opened(observer), 5)
        observer.add_raw(loss_now(12))
        observer.add_raw(b"\xff\xff\xff")
        observer.add("a")
        listening.wait_until(lambda: listening.uuids == ["a"], 5)
    assert listening.lost() == {"PERF_EVENT_RING_BUFFER": 12}
    assert listening.stream.counts.rejected == len(rejects) == 1


def test_slow_answers_do_not_hold_the_flows_up(observer: Observer) -> None:
    observer.reply_seconds = 0.3
    with listening_to(observer, check_timeout_seconds=5.0) as listening:
        listening.wait_until(opened(observer), 5)
        for number in range(10):
            observer.add(f"flow-{number}")
            listening.wait_until(lambda n=number: len(listening.flows) == n + 1, 0.25)


def test_a_caller_that_does_not_read_makes_hubble_wait(observer: Observer) -> None:
    listening = listening_to(observer, buffer_flows=100)
    stream = listening.stream
    batches = stream.batches()
    taken = []
    while not observer.requests:
        taken += next(batches)
    observer.add(*(f"flow-{number}" for number in range(20_000)))
    while not taken:
        taken += next(batches)
    time.sleep(0.5)
    for batch in batches:
        assert stream.counts.buffered <= 100
        taken += batch
        if len(taken) >= 20_000:
            break
    batches.close()
    assert stream.counts.waits > 0
    assert len({line.flow.uuid for line in taken if line.flow}) == 20_000


def test_nobody_at_the_address_is_said_and_tried_again(caplog: Any) -> None:
    observer = Observer().start()
    observer.stop()
    with listening_to(observer) as listening:
        listening.wait_until(lambda: listening.stream.counts.reconnects["unreachable"] > 2, 10)
        assert "check that Hubble runs there" in caplog.text
        observer.start()
        observer.add("a")
        listening.wait_until(lambda: listening.uuids == ["a"], 10)
    observer.stop()


def test_pauses_double_up_to_the_longest_and_jitter() -> None:
    observer = Observer().start()
    observer.stop()
    clock = itertools.count()
    pauses: list[float] = []
    time_now = [0.0]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time_now[0] += seconds
        if len(pauses) > 120:
            stream.close()

    listening = listening_to(observer, backoff_seconds=1.0, max_backoff_seconds=8.0)
    stream = HubbleStream(
        listening.stream.settings,
        lambda _: None,
        steady=lambda: time_now[0] + next(clock) * 1e-9,
        pause=pause,
        draw=lambda: 1.0,
    )
    for _ in stream.batches():
        pass
    failures = sum(stream.counts.reconnects.values())
    waited = time_now[0]
    assert failures >= 8
    # 1 + 2 + 4 + 8 + 8 + ...; the last one may be cut short, and each attempt takes a moment.
    assert 7 + 8 * (failures - 4) <= waited <= 7 + 8 * (failures - 3) + failures


def test_basic_authorization_is_sent_with_a_password_read_from_its_file(
    observer: Observer, tmp_path: Any
) -> None:
    secret = tmp_path / "password"
    secret.write_text("pass\n")
    with listening_to(observer, username="user", password_file=secret) as listening:
        listening.wait_until(opened(observer), 5)
    assert observer.metadata[0]["authorization"] == "Basic dXNlcjpwYXNz"


def test_a_certificate_that_is_none_stops_the_start(tmp_path: Any) -> None:
    broken = tmp_path / "ca.crt"
    broken.write_text("no certificate")
    listening = Listening("localhost:1", tls={"enabled": True, "ca_file": broken})
    with pytest.raises(ConfigurationError, match=r"tls\.ca_file .* no PEM"):
        next(listening.stream.batches())


def test_certificates_are_read_again_after_a_break(tmp_path: Any) -> None:
    def renew() -> None:
        authority = Authority(tmp_path, "ca")
        authority.issue("server", ["*.hubble-relay.cilium.io"])
        authority.issue("client")

    def credentials() -> grpc.ServerCredentials:
        read = {name: (tmp_path / name).read_bytes() for name in ("server.key", "server.crt")}
        return grpc.ssl_server_credentials(
            [(read["server.key"], read["server.crt"])],
            root_certificates=(tmp_path / "ca.pem").read_bytes(),
            require_client_auth=True,
        )

    renew()
    observer = Observer(credentials).start()
    observer.add("before")
    tls = {
        "enabled": True,
        "ca_file": tmp_path / "ca.pem",
        "cert_file": tmp_path / "client.crt",
        "key_file": tmp_path / "client.key",
        "server_name": "ui.hubble-relay.cilium.io",
    }
    with listening_to(observer, tls=tls) as listening:
        listening.wait_until(opened(observer), 5)
        observer.add("a")
        listening.wait_until(lambda: listening.uuids == ["a"], 5)
        observer.stop()
        renew()
        observer.start()
        observer.add("b")
        listening.wait_until(lambda: listening.uuids == ["a", "b"], 10)
        (tmp_path / "client.key").write_text("being written")
        observer.stop()
        observer.start()
        listening.wait_until(lambda: listening.stream.counts.reconnects["certificate"] > 0, 10)
        renew()
        observer.stop()
        observer.start()
        observer.add("c")
        listening.wait_until(lambda: listening.uuids == ["a", "b", "c"], 10)
    observer.stop()


def test_closing_ends_a_quiet_stream_soon_and_its_thread(observer: Observer) -> None:
    with listening_to(observer) as listening:
        listening.wait_until(opened(observer), 5)
        begin = time.monotonic()
    assert time.monotonic() - begin < 3
    assert not [thread for thread in threading.enumerate() if thread.name == "hubble-stream"]


def test_event_time_is_complete_while_hubble_answers_only(observer: Observer) -> None:
    with listening_to(observer) as listening:
        stream = listening.stream
        listening.wait_until(lambda: stream.complete_through_ns > 0, 5)
        assert 0 < now_ns() - stream.complete_through_ns < 3_000_000_000
        observer.stop()
        time.sleep(1.5)
        stopped = stream.complete_through_ns
        time.sleep(0.7)
        assert stream.complete_through_ns == stopped
        observer.start()
        listening.wait_until(lambda: stream.complete_through_ns > stopped, 10)


def test_event_time_is_not_complete_before_what_was_missed_has_come(observer: Observer) -> None:
    since_ns = now_ns() - 60_000_000_000
    settings = HubbleSettings(address=observer.address)
    stream = HubbleStream(settings, lambda _: None, since_ns=since_ns, rates={"node-a": 1.0})
    observer.ring.clear()
    complete = []
    for number in range(3):
        observer.add(f"flow-{number}", at_ns=since_ns + number * 1_000_000_000)
    uuids: list[str] = []
    for batch in stream.batches():
        uuids += [line.flow.uuid for line in batch if line.flow is not None]
        complete.append((len(uuids), stream.complete_through_ns))
        if stream.complete_through_ns:
            break
    assert {count for count, through in complete if through} == {3}
    assert observer.requests[0].since.seconds == since_ns // 1_000_000_000
