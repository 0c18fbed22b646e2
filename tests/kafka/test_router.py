"""The router: which partition, what goes to all, and in which order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import (
    START,
    VERDICT,
    Party,
    flow,
    heartbeat,
    host,
    lost,
    node_status,
    pod,
    world,
)
from tests.connections import datagrams, ping, tcp
from tests.proxying import dns, proxied

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.kafka.partition import partition_of
from hubblewatch.kafka.pulse import PulseSettings
from hubblewatch.kafka.router import Router

PARTITIONS = 12
CLIENT = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
SERVER = pod("data/db-0", node="node-b")
SHOP = partition_of("shop", PARTITIONS)
DATA = partition_of("data", PARTITIONS)
assert SHOP != DATA


def routed(
    lines: Iterable[bytes],
    *,
    ends: bool = False,
    batch: int = 1_000,
    rejects: list[Reject] | None = None,
) -> list[list[Line]]:
    """The lines of each partition."""
    refused: list[Reject] = [] if rejects is None else rejects
    router = Router(PARTITIONS, PulseSettings("exporter-7"), refused.append)
    found: list[list[Line]] = [[] for _ in range(PARTITIONS)]
    given_lines = list(lines)
    for start in range(0, len(given_lines), batch):
        router.take(decode_lines(given_lines[start : start + batch], refused.append))
        for stream, more in zip(found, router.drain(), strict=True):
            stream.extend(more)
    router.finish(is_last=ends)
    for stream, more in zip(found, router.drain(), strict=True):
        stream.extend(more)
    return found


def partitions_of(lines: Sequence[bytes]) -> set[int]:
    """The partitions that flows of the lines go to."""
    streams = routed(lines, ends=True)
    assert sum(x.flow is not None for stream in streams for x in stream) == len(lines)
    return {n for n, stream in enumerate(streams) if any(x.flow is not None for x in stream)}


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(tcp(CLIENT, SERVER), id="tcp"),
        pytest.param(tcp(CLIENT, SERVER, aggregated=False), id="every packet"),
        pytest.param(tcp(CLIENT, SERVER, port=50_051, from_port=60_001), id="high service port"),
        pytest.param(tcp(CLIENT, SERVER, port=50_051, from_port=40_000), id="higher service port"),
        pytest.param(datagrams(CLIENT, SERVER), id="udp"),
        pytest.param(datagrams(CLIENT, SERVER, port=50_000, from_port=40_000), id="higher udp"),
        pytest.param(datagrams(CLIENT, SERVER, protocol="SCTP", port=36_412), id="sctp"),
        pytest.param(ping(CLIENT, SERVER), id="icmp"),
        pytest.param(proxied(CLIENT, pod("shop/db-0", node="node-b")), id="proxied"),
        pytest.param(tcp(CLIENT, world(), port=443), id="to the outside"),
        pytest.param(tcp(CLIENT, host("node-b"), port=6_443), id="to a node"),
        pytest.param(
            [
                flow(
                    CLIENT, SERVER, kind=VERDICT, verdict="DROPPED", flags="SYN", ports=(53, 45_000)
                )
            ],
            id="denied",
        ),
        pytest.param([flow(SERVER, CLIENT, ports=(5_432, 41_000), flags="ACK")], id="by ports"),
    ],
)
def test_all_of_a_connection_goes_to_its_openers_namespace(lines: list[bytes]) -> None:
    assert partitions_of(lines) == {SHOP}


@pytest.mark.parametrize("client", [world(), host("node-c")])
def test_without_a_pod_that_opens_the_responders_namespace_decides(client: Party) -> None:
    assert partitions_of(tcp(client, SERVER)) == {DATA}


@given(
    st.integers(1, 65_535),
    st.integers(1, 65_535),
    st.sampled_from(["", "SYN", "SYN ACK", "ACK"]),
    st.sampled_from(["TCP", "UDP", "SCTP"]),
)
@settings(max_examples=300, deadline=None)
def test_both_directions_meet_whenever_flags_or_ports_tell(
    low: int, high: int, flags: str, protocol: str
) -> None:
    forth = {"protocol": protocol, "ports": (low, high), "flags": flags}
    back = {"protocol": protocol, "ports": (high, low), "flags": flags}
    telling = not flags.startswith("SYN") or protocol != "TCP"
    if telling and low != high:  # ports alone
        lines = [flow(CLIENT, SERVER, at=1, **forth), flow(SERVER, CLIENT, at=1, **back)]
        assert len(partitions_of(lines)) == 1
    if protocol == "TCP":
        handshake = [
            flow(CLIENT, SERVER, at=1, ports=(low, high), flags="SYN"),
            flow(SERVER, CLIENT, at=1, ports=(high, low), flags="SYN ACK", is_reply=True),
        ]
        assert partitions_of(handshake) == {SHOP}


def test_what_no_pod_takes_part_in_goes_to_partition_0() -> None:
    streams = routed([*tcp(host(), host("node-b")), *tcp(host(), world())], ends=True)
    assert [n for n, stream in enumerate(streams) if any(x.flow for x in stream)] == [0]


def beats(stream: Sequence[Line]) -> list[tuple[int, int]]:
    """Sequence and watermark (seconds after START) of the heartbeats."""
    return [
        (line.heartbeat.sequence, parse_ns(line.heartbeat.watermark) // 1_000_000_000 - START)
        for line in stream
        if line.heartbeat is not None
    ]


def test_each_new_second_beats_in_every_partition_before_the_flow_that_shows_it() -> None:
    lines = [flow(CLIENT, SERVER, at=at) for at in (5.0, 5.9, 6.0, 5.5, 9.2)]
    streams = routed(lines)
    for stream in streams:
        assert beats(stream) == [(1, -5), (2, -4), (3, -1)]
    kinds = ["flow" if line.flow is not None else "beat" for line in streams[SHOP]]
    assert kinds[:8] == ["beat", "flow", "flow", "beat", "flow", "flow", "beat", "flow"]
    assert {x.heartbeat.exporter for x in streams[0] if x.heartbeat} == {"exporter-7"}


def test_a_census_comes_before_the_beat_that_closes_its_window() -> None:
    lines = [*tcp(CLIENT, SERVER, at=10), flow(at=72), flow(at=72.5), flow(at=73)]
    for stream in routed(lines):
        at = next(n for n, line in enumerate(stream) if line.census is not None)
        census = stream[at].census
        assert census is not None
        assert parse_ns(census.start) // 1_000_000_000 == START
        assert sum(census.nodes.values()) == len(lines) - 3
        assert set(census.nodes) == {"node-a", "node-b"}
        assert beats(stream[at:])[0][1] == 63
        assert beats(stream[:at])[-1][1] == 62


def test_windows_without_flows_between_have_a_census_too() -> None:
    stream = routed([flow(at=1), flow(at=2), flow(at=200)])[3]
    assert [line.census.nodes for line in stream if line.census][:3] == [{"node-a": 2}, {}, {}]


def test_the_end_of_a_file_closes_its_last_window() -> None:
    lines = [flow(at=1), flow(at=119)]
    assert beats(routed(lines, ends=True)[5])[-1][1] == 123
    assert [line.census.nodes for line in routed(lines, ends=True)[5] if line.census] == [
        {"node-a": 1},
        {"node-a": 1},
    ]


def test_without_a_final_beat_the_last_window_stays_open() -> None:
    stream = routed([flow(at=1), flow(at=59)])[5]
    assert beats(stream)[-1][1] == 49


def test_who_ends_before_the_stream_does_hands_over_what_was_counted_of_open_windows() -> None:
    for stream in routed([flow(at=1), flow(at=59), flow(at=61, is_reply=True)]):
        censuses = [line.census for line in stream if line.census is not None]
        assert [(one.nodes, one.answers) for one in censuses] == [
            ({"node-a": 2}, False),
            ({"node-a": 1}, True),
        ]
        assert beats(stream)[-1][1] == 51


@pytest.mark.parametrize(("goes_on", "first"), [(False, 1), (True, 2)])
def test_the_first_beat_says_whether_an_earlier_run_goes_on(goes_on: bool, first: int) -> None:
    router = Router(PARTITIONS, PulseSettings("exporter-7", goes_on=goes_on), pytest.fail)
    for second in range(3):
        router.reach(START + second)
    for stream in router.drain():
        assert [number for number, _ in beats(stream)] == [first, first + 1, first + 2]


def test_losses_and_node_states_go_to_every_partition_in_their_place() -> None:
    lines = [
        node_status(0, "NODE_CONNECTED", "node-a"),
        flow(at=1),
        flow(at=1.1),
        lost(1.5, 3),
        flow(at=2),
    ]
    for stream in routed(lines):
        kinds = [
            "state" if x.node_status else "loss" if x.lost_events else "beat" if x.heartbeat else ""
            for x in stream
        ]
        assert [kind for kind in kinds if kind] == ["state", "beat", "loss", "beat"]


def test_a_proxied_responder_is_told_to_its_partition_once_a_window() -> None:
    lines = []
    for at in (1.0, 20.0, 61.0):
        lines += proxied(CLIENT, SERVER, at=at, from_port=41_000 + int(at))
    streams = routed(lines)
    told = [(n, x) for n, stream in enumerate(streams) for x in stream if x.proxied]
    assert [(n, x.proxied.address, x.proxied.port) for n, x in told if x.proxied] == [
        (DATA, SERVER.address, 8_080)
    ] * 2
    assert [parse_ns(x.time) // 1_000_000_000 - START for _, x in told] == [1, 61]


def test_a_proxied_responder_in_the_flows_own_partition_is_not_told() -> None:
    streams = routed(proxied(CLIENT, pod("shop/db-0", node="node-b")))
    assert not any(x.proxied for stream in streams for x in stream)


def test_dns_through_the_proxy_tells_the_resolvers_partition() -> None:
    streams = routed(dns(CLIENT))
    told = {n for n, stream in enumerate(streams) if any(x.proxied for x in stream)}
    assert told == {partition_of("kube-system", PARTITIONS)}


def test_agent_events_go_nowhere_and_anothers_beats_are_dropped() -> None:
    router = Router(PARTITIONS, PulseSettings("exporter-7"), lambda _: None)
    router.take([Line(), *decode_lines([heartbeat(4, 1)], lambda _: None)])
    assert router.drain() == [[] for _ in range(PARTITIONS)]
    assert router.counts.controls_dropped == 1


def test_flows_without_a_usable_time_are_refused() -> None:
    rejects: list[Reject] = []
    streams = routed([flow(at=1), flow(time="tomorrow"), flow(at=2)], rejects=rejects)
    assert sum(x.flow is not None for stream in streams for x in stream) == 2
    assert [str(reject.reason) for reject in rejects] == ["time"]


def test_late_flows_are_sent_on_and_counted() -> None:
    router = Router(PARTITIONS, PulseSettings("exporter-7"), lambda _: None)
    lines = [flow(at=1), flow(at=200), flow(at=2), flow(at=280)]
    router.take(decode_lines(lines, lambda _: None))
    assert router.counts.late == 1
    stream = router.drain()[SHOP]
    assert sum(x.flow is not None for x in stream) == 4
    assert sum(x.census.late for x in stream if x.census) == 1


@pytest.mark.parametrize("gap", [50, 200])
def test_a_census_says_whether_its_window_holds_replies(gap: int) -> None:
    router = Router(PARTITIONS, PulseSettings("exporter-7"), lambda _: None)
    lines = [flow(at=1), flow(at=2, is_reply=True), flow(at=2 + gap), flow(at=300)]
    router.take(decode_lines(lines, lambda _: None))
    router.finish()
    censuses = [x.census for x in router.drain()[SHOP] if x.census]
    answers = {census.start[11:16]: census.answers for census in censuses if census.nodes}
    assert list(answers.values()) == [True] + [False] * (len(answers) - 1)


def test_the_first_flow_is_sent_once_the_clock_tells_that_its_time_is_true() -> None:
    refused: list[Reject] = []
    router = Router(PARTITIONS, PulseSettings("exporter-7"), refused.append)
    router.take(decode_lines([flow(CLIENT, SERVER, at=1)], refused.append))
    assert router.is_holding
    router.reach(START + 2)
    assert not router.is_holding
    assert [line.flow is not None for line in router.drain()[SHOP]] == [False, True]
    assert refused == []


def test_a_first_flow_from_far_ahead_is_refused_as_before() -> None:
    refused: list[Reject] = []
    router = Router(PARTITIONS, PulseSettings("exporter-7"), refused.append)
    router.take(decode_lines([flow(CLIENT, SERVER, at=90_000)], refused.append))
    router.reach(START + 2)
    router.take(decode_lines([flow(CLIENT, SERVER, at=2)], refused.append))
    assert [reject.reason for reject in refused] == [RejectReason.AHEAD]
    assert router.counts.flows == 1


def test_a_clock_moves_a_quiet_stream_on() -> None:
    router = Router(PARTITIONS, PulseSettings("exporter-7"), lambda _: None)
    router.take(decode_lines([flow(at=1), flow(at=2)], lambda _: None))
    for second in range(74):
        router.reach(START + second)
    stream = router.drain()[0]
    assert len(beats(stream)) == 73
    assert sum(x.census is not None for x in stream) == 1


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_each_partition_keeps_the_order_whatever_the_batches(seed: int, batch: int) -> None:
    dice = random.Random(seed)
    clients = [pod(f"team-{n}/web-0") for n in range(5)]
    lines = [
        flow(dice.choice(clients), SERVER, at=dice.uniform(0, 150), ports=(40_000 + number, 80))
        for number in range(60)
    ]
    dice.shuffle(lines)
    streams = routed(lines, batch=batch, ends=True)
    assert streams == routed(lines, ends=True)
    place = {x.flow.uuid: n for n, x in enumerate(decode_lines(lines, print)) if x.flow}
    for stream in streams:
        order = [place[line.flow.uuid] for line in stream if line.flow is not None]
        assert order == sorted(order)
    assert sum(x.flow is not None for stream in streams for x in stream) == len(lines)
