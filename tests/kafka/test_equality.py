"""Twelve partitions read apart close the same windows and make the same alerts as one replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.builders import START, flow, lost, node_status, pod, rfc3339, world
from tests.connections import datagrams, ping, tcp
from tests.kafka.partitioned import PARTITIONS, Outcome, partitioned, whole
from tests.proxying import dns, proxied

from hubblewatch.assemble import build_pipeline
from hubblewatch.flow.decode import decode_lines
from hubblewatch.kafka.pulse import PulseSettings
from hubblewatch.kafka.router import Router
from hubblewatch.settings import Settings
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, Size, simulate
from hubblewatch.simulate.settings import Aggregation, Vantage


def simulated(scenario: str | None, **others: Any) -> list[bytes]:
    config = SimulationConfig(
        minutes=others.pop("minutes", 12),
        size=Size.SMALL,
        rate=2.5,
        scenarios=(ScenarioSpec.parse(scenario),) if scenario else (),
        **others,
    )
    return [line.rstrip(b"\n") for line in simulate(config)]


def assert_equal(lines: Sequence[bytes]) -> Outcome:
    one, many = whole(lines), partitioned(lines)
    assert many.windows == one.windows
    assert many.alerts == one.alerts
    assert many.numbers == one.numbers * len(many.numbers)
    assert many.shares == one.shares * len(many.shares)
    assert (many.flows, many.late) == (one.flows, one.late)
    return one


FOUND = {
    "lateral-movement": "new-edge",
    "new-egress": "external-egress",
    "beacon": "beaconing",
    "dns-tunnel": "dns-anomaly",
}
"""Detectors with a memory of their own: what they keep must not depend on the partition."""


@pytest.mark.parametrize(
    ("scenario", "others"),
    [
        (None, {"seed": 1}),
        (None, {"seed": 2, "aggregation": Aggregation.NONE, "minutes": 6}),
        ("policy-break", {"seed": 3, "disorder_seconds": 5.0}),
        ("port-scan", {"seed": 4, "vantage": Vantage.DESTINATION}),
        ("host-sweep", {"seed": 5, "vantage": Vantage.SOURCE}),
        ("udp-share-shift", {"seed": 6}),
        ("connectivity-errors", {"seed": 7, "duplicate": True}),
        ("node-loss", {"seed": 8}),
        ("ring-buffer-loss", {"seed": 9}),
        ("late-lines", {"seed": 10}),
        ("rollout", {"seed": 12}),
        ("exporter-restart", {"seed": 13, "heartbeats": True}),
        ("lateral-movement:at=25", {"seed": 14, "minutes": 31}),
        ("new-egress:at=12", {"seed": 15, "minutes": 20}),
        ("beacon:at=11", {"seed": 16, "minutes": 25}),
        ("dns-tunnel", {"seed": 17}),
    ],
)
def test_partitions_together_are_one_replay(scenario: str | None, others: dict[str, Any]) -> None:
    lines = simulated(scenario, **others)
    if others.get("heartbeats"):
        # A replay would follow that exporter's heartbeats; a router makes its own.
        lines = [line for line in lines if b'"heartbeat"' not in line]
    outcome = assert_equal(lines)
    assert len(outcome.windows) > 30
    if scenario in ("policy-break", "port-scan", "host-sweep", "node-loss"):
        assert outcome.alerts
    expected = FOUND.get((scenario or "").partition(":")[0])
    assert expected is None or expected in {alert[1] for alert in outcome.alerts}


def time_of(line: bytes) -> str:
    return str(json.loads(line)["time"])


CLIENTS = [pod(f"team-{n}/web-{n}", node=f"node-{n % 3}") for n in range(8)]
SERVERS = [pod(f"data-{n}/db-{n}", node=f"node-{(n + 1) % 3}") for n in range(8)]


def traffic(at: float, step: int = 1) -> list[bytes]:
    """Every client talks to a server of another namespace, and some to the outside."""
    lines = []
    for number, client in enumerate(CLIENTS[::step]):
        server = SERVERS[(number + 3) % len(SERVERS)]
        lines += tcp(client, server, at=at + number * 0.7, from_port=40_000 + number)
        lines += datagrams(client, server, at=at + number * 0.7, from_port=41_000 + number)
    lines += tcp(world(), SERVERS[0], at=at + 0.2, port=443)
    return lines


def test_proxied_connections_count_once_each_wherever_client_and_server_are() -> None:
    lines = []
    for number, client in enumerate(CLIENTS):
        for minute in range(3):
            at = 60.0 * minute + number
            server = SERVERS[(number + minute) % len(SERVERS)]
            lines += proxied(client, server, at=at, leg_port=50_000 + 10 * minute + number)
            lines += dns(client, at=at + 0.3, from_port=45_000 + 10 * minute + number)
    outcome = assert_equal(sorted(lines, key=time_of))
    assert {window.direction for window in outcome.windows} == {"outbound"}
    assert sum(window.attempts for window in outcome.windows) == 2 * len(CLIENTS) * 3


def test_a_server_on_an_ephemeral_port_is_no_client_of_its_clients() -> None:
    """A media server: each direction by itself shows two ports that tell nothing."""
    server = pod("media/sfu-7d9f8c6b5-x2x7z", node="node-1")
    clients = [pod(f"team-{n}/web-{n}", node=f"node-{n % 3}") for n in range(12)]
    lines = [
        line
        for minute in range(15)
        for n, client in enumerate(clients)
        for line in datagrams(
            client, server, at=60 * minute + 20 + n, port=50_000, from_port=33_000 + minute * 99 + n
        )
    ]
    found = assert_equal(sorted(lines, key=time_of))
    assert {window.namespace for window in found.windows} == {f"team-{n}" for n in range(12)}


def test_pods_that_ping_each_other_are_two_that_ping() -> None:
    one, other = pod("shop/cart-0", node="node-1"), pod("data/db-0", node="node-2")
    found = assert_equal(sorted(ping(one, other, at=1.0) + ping(other, one, at=2.0), key=time_of))
    assert sorted((w.namespace, w.icmp) for w in found.windows) == [("data", 1), ("shop", 1)]


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("restart_at", [8 * 60 + 5, 8 * 60 + 30, 8 * 60 + 59])
def test_an_exporter_that_begins_anew_makes_no_node_silent(
    restart_at: int, is_killed: bool
) -> None:
    """One that ends in order hands over what it counted of the windows that are open.

    One that is killed leaves its last window without a census; the flows that a partition has of it
    are not all, and one without any cannot tell this from a time in which no exporter ran.
    """
    pods = [pod(f"ns-{n}/w{n}-0", node=f"node-{n % 3}") for n in range(20)]
    lines = [
        line
        for minute in range(12)
        for n, client in enumerate(pods)
        for k in range(6)
        for line in tcp(
            client,
            pods[(n + 1) % 20],
            at=60 * minute + k * 9.8 + n / 100,
            from_port=33_000 + minute * 200 + k,
            ends=False,
        )
    ]
    lines.sort(key=time_of)
    before = [line for line in lines if time_of(line) < rfc3339(restart_at)]
    pipes = [build_pipeline(Settings(), judges_source=n == 0) for n in range(PARTITIONS)]
    closed = []
    clock = 0
    for part in (before, lines[len(before) :]):
        router = Router(PARTITIONS, PulseSettings("exporter"), pytest.fail)
        for line in part:
            while rfc3339(clock) < time_of(line):
                router.reach(START + clock)
                clock += 1
            router.take(decode_lines([line], pytest.fail))
            for pipe, routed in zip(pipes, router.drain(), strict=True):
                closed += pipe.take(routed)
        if not is_killed:
            router.finish(is_last=False)
            for pipe, routed in zip(pipes, router.drain(), strict=True):
                closed += pipe.take(routed)
    assert {one.closing.number % 60 for one in closed} >= {7, 8, 9}
    judged = [one for one in closed if one.closing.windows or not is_killed]
    assert {round(one.closing.completeness.share, 6) for one in judged} == {1.0}
    usual = [habit.usual for pipe in pipes for habit in pipe.memory.stream.nodes.nodes.values()]
    assert min(usual) > 0.7 * max(usual)


def test_quiet_minutes_close_in_every_partition() -> None:
    outcome = assert_equal(traffic(0) + traffic(10 * 60))
    assert len(outcome.numbers[0]) == 11


@pytest.mark.parametrize("minutes", [61, 62, 200, 60 * 24 * 3])
def test_a_pause_of_the_recording_is_no_silence(minutes: int) -> None:
    assert_equal(traffic(0) + traffic(minutes * 60) + traffic(minutes * 60 + 30))


def test_a_flow_far_ahead_of_the_stream_closes_nothing() -> None:
    wrong = flow(CLIENTS[0], SERVERS[0], at=90_000, flags="SYN")
    outcome = assert_equal([*traffic(0), wrong, *traffic(60), *traffic(120)])
    assert [reject.reason for reject in outcome.rejects] == ["ahead"]


def test_losses_and_lost_nodes_make_every_partition_incomplete() -> None:
    lines = [
        node_status(0, "NODE_CONNECTED", "node-0", "node-1", "node-2"),
        *traffic(0),
        *traffic(60),
        lost(75, 400),
        *traffic(120),
        node_status(130, "NODE_UNAVAILABLE", "node-1"),
        *traffic(180, step=3),
        lost(240.5, 7),
        *traffic(300),
    ]
    outcome = assert_equal(lines)
    assert min(outcome.shares[0]) < 0.9


def test_a_stream_may_begin_or_end_with_a_loss() -> None:
    assert_equal([lost(-100, 3), lost(-2, 5), *traffic(0), lost(61, 9)])


def test_late_flows_are_late_in_their_partition() -> None:
    lines = [*traffic(0), *traffic(60), *traffic(140), *traffic(30), *traffic(200)]
    assert assert_equal(lines).late > 0


def test_an_empty_recording_closes_nothing() -> None:
    assert assert_equal([]).windows == []
