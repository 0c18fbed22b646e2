"""A partition in memory, crashed and restored at any place, closes what it would have closed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from tests.builders import flow, heartbeat, pod
from tests.connections import tcp

from hubblewatch.assemble import build_pipeline
from hubblewatch.flow.reject import RejectReason
from hubblewatch.settings import Settings, WindowSettings
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, simulate
from hubblewatch.state import Record, restore
from hubblewatch.window.jump_guard import CONFIRMATIONS
from hubblewatch.worker.partition import Commit, PartitionState

Log = list[bytes]


def envelopes(
    *,
    heartbeats: bool,
    seed: int,
    lines_each: int = 100,
    minutes: int = 9,
    scenarios: Sequence[str] = ("policy-break:at=3",),
) -> Log:
    config = SimulationConfig(
        seed=seed,
        minutes=minutes,
        rate=4.0,
        nodes=3,
        namespaces=4,
        workloads=10,
        heartbeats=heartbeats,
        disorder_seconds=5.0,
        scenarios=tuple(map(ScenarioSpec.parse, scenarios)),
    )
    lines = [line.rstrip(b"\n") for line in simulate(config)]
    return [
        b"\n".join(lines[start : start + lines_each]) for start in range(0, len(lines), lines_each)
    ]


class Kafka:
    """What the broker would hold: state, outputs and offset, each commit all or nothing."""

    def __init__(self) -> None:
        self.state: dict[bytes, bytes | None] = {}
        self.offset = 0
        self.windows: list[bytes] = []
        self.alerts: list[bytes] = []

    def commit(self, commit: Commit) -> None:
        for key, value in commit.state:
            self.state[key] = value
        self.offset = commit.offset
        for closed in commit.closed:
            self.windows += [msgspec.json.encode(w.record()) for w in closed.closing.windows]
            self.alerts += [msgspec.json.encode(alert) for alert in closed.alerts]

    def records(self) -> Iterator[Record]:
        yield from self.state.items()


def start(kafka: Kafka, settings: Settings | None = None) -> PartitionState:
    pipeline = build_pipeline(settings or Settings())
    restore(pipeline, kafka.records())
    return PartitionState(0, pipeline, kafka.offset, lambda reject: pytest.fail(str(reject)))


def run(log: Log, crashes: set[int]) -> Kafka:
    """Read the log; at each record number of ``crashes`` begin anew from what was committed."""
    kafka = Kafka()
    partition = start(kafka)
    offset, read = 0, 0
    while offset < len(log):
        if read in crashes:
            partition = start(kafka)
            offset = kafka.offset
        read += 1
        commit = partition.take(log[offset], offset)
        offset += 1
        if commit is not None:
            kafka.commit(commit)
    return kafka


@pytest.mark.parametrize("heartbeats", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_crashes_at_any_record_change_no_window_and_no_alert(heartbeats: bool, seed: int) -> None:
    log = envelopes(heartbeats=heartbeats, seed=seed)
    undisturbed = run(log, set())
    assert len(undisturbed.windows) > 30
    assert undisturbed.alerts
    dice = random.Random(seed)
    for _ in range(3):
        crashes = set(dice.sample(range(len(log)), 12))
        disturbed = run(log, crashes)
        assert disturbed.windows == undisturbed.windows
        assert disturbed.alerts == undisturbed.alerts


def test_crashes_change_nothing_that_detectors_keep_for_themselves() -> None:
    scenarios = ("new-egress:at=14", "beacon:at=13", "dns-tunnel:at=12")
    log = envelopes(heartbeats=True, seed=1, minutes=26, scenarios=scenarios)
    undisturbed = run(log, set())
    found = {msgspec.json.decode(alert)["detector"] for alert in undisturbed.alerts}
    assert found >= {"external-egress", "beaconing", "dns-anomaly"}
    disturbed = run(log, set(random.Random(1).sample(range(len(log)), 25)))
    assert disturbed.windows == undisturbed.windows
    assert disturbed.alerts == undisturbed.alerts


def ahead_of_the_rest(shown: int) -> Log:
    """A stream with heartbeats; in its midst flows two hours ahead, then nothing but heartbeats.

    ``shown`` of the flows come before windows close, the rest after; then the stream is there.
    """
    ahead = [flow(pod("shop/cart-0"), pod("shop/db-0"), at=7_200 + n) for n in range(CONFIRMATIONS)]
    return [
        heartbeat(0, -10, at=0),
        *(flow(pod("shop/cart-0"), pod("shop/db-0"), at=second) for second in range(20)),
        *ahead[:shown],
        *(heartbeat(number, number - 10, at=number) for number in range(1, 400)),
        *ahead[shown:],
        *(heartbeat(number, 7_000 + number, at=7_000 + number) for number in range(400, 800)),
    ]


@pytest.mark.parametrize("shown", [1, CONFIRMATIONS - 1])
def test_a_crash_loses_no_flow_that_was_held_back(shown: int) -> None:
    log = ahead_of_the_rest(shown)
    undisturbed = run(log, set())
    attempts = [msgspec.json.decode(window)["attempts"] for window in undisturbed.windows]
    assert len(attempts) == 2
    for crash in (30, 200, 420, 424):
        assert run(log, {crash}).windows == undisturbed.windows


def test_flows_held_for_an_hour_of_heartbeats_hold_the_safe_offset_no_longer() -> None:
    kafka, rejects = Kafka(), []
    partition = PartitionState(0, build_pipeline(Settings(), rejects.append), 0, rejects.append)
    log = [
        *ahead_of_the_rest(1)[:22],
        *(heartbeat(number, number - 10, at=number) for number in range(1, 3_900, 10)),
    ]
    for offset, value in enumerate(log):
        commit = partition.take(value, offset)
        if commit is not None:
            kafka.commit(commit)
    assert [reject.reason for reject in rejects] == [RejectReason.AHEAD]
    assert kafka.offset > len(log) - 30


def test_records_before_the_committed_offset_are_passed_over() -> None:
    log = envelopes(heartbeats=True, seed=3)
    partition = start(Kafka())
    partition.take(log[0], 0)
    counted = partition.pipeline.counts.flows
    assert partition.take(log[0], 0) is None
    assert partition.pipeline.counts.flows == counted
    assert partition.gaps == 0


def test_a_jump_of_offsets_is_counted() -> None:
    log = envelopes(heartbeats=True, seed=3)
    partition = start(Kafka())
    partition.take(log[0], 0)
    partition.take(log[3], 3)
    assert partition.gaps == 2


def test_an_empty_record_feeds_nothing() -> None:
    partition = start(Kafka())
    assert partition.take(None, 0) is None
    assert partition.take(b"", 1) is None
    assert partition.next_offset == 2


@pytest.mark.parametrize("is_kept_open", [True, False])
def test_a_pods_learned_name_goes_with_the_pod_and_stays_while_it_is_used(
    is_kept_open: bool,
) -> None:
    """Of jobs' pods each would leave a record for ever; a server's is used, whoever opens."""
    server = pod("shop/net-cfgmgr-x2x7z", workload="net-cfgmgr", kind="DaemonSet")
    job = pod("shop/net-bckfll-x2x7z", workload="net-bckfll", kind="Workflow")
    idle = 4 * 3_600 if is_kept_open else 120
    settings = Settings(window=WindowSettings(connection_idle_seconds=idle))
    kafka = Kafka()
    partition = start(kafka, settings)
    seen: list[int] = []
    for minute in range(0, 9 * 24 * 60, 55):
        at = minute * 60
        port = 20_000 + (0 if is_kept_open else minute)
        lines = tcp(pod("shop/cart-0"), server, at=at, from_port=port, ends=not is_kept_open)
        if minute < 120:
            lines += tcp(job, server, at=at + 5, from_port=50_000 + minute)
        if minute // 55 % 80 == 30:
            partition = start(kafka, settings)
        commit = partition.take(b"\n".join(lines), partition.next_offset or 0)
        if commit is not None:
            kafka.commit(commit)
        pods = [key for key, value in kafka.state.items() if b'"pod"' in key and value is not None]
        seen.append(len(pods))
    assert max(seen) == 2
    assert pods == [b'["pod","shop","net-cfgmgr-x2x7z"]']


def test_flows_that_are_late_again_after_a_crash_are_no_news() -> None:
    log = []
    for second in range(1_000):
        lines = [flow(at=second + 0.1, flags="SYN", ports=(20_000 + second, 80))]
        if second > 300 and second % 60 == 30:
            lines += [flow(at=second - 200 + n / 100, uuid=f"{second}-{n}") for n in range(7)]
        log.append(b"\n".join(lines))

    def late(crash_at: int) -> dict[int, int]:
        kafka = Kafka()
        partition = start(kafka)
        told: dict[int, int] = {}
        offset = 0
        while offset < len(log):
            if offset == crash_at:
                partition, offset, crash_at = start(kafka), kafka.offset, -1
            commit = partition.take(log[offset], offset)
            offset += 1
            if commit is not None:
                kafka.commit(commit)
                told |= {closed.closing.number: closed.closing.late for closed in commit.closed}
        return told

    assert late(760) == late(-1)
    assert max(late(-1).values()) == 7
