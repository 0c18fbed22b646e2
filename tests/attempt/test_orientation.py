"""Who opened a connection: SYN, then reply flags, then event types, then ports."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from tests.builders import DROP, L7, VERDICT, Party, flow, pod, world
from tests.connections import datagrams, tcp
from tests.running import only, windows

CLIENT = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
SERVER = pod("data/db-0", node="node-a")


def forth(ports: tuple[int, int] = (41_000, 5_432), **what: Any) -> bytes:
    """An event from client to server."""
    return flow(CLIENT, SERVER, ports=ports, **what)


def back(ports: tuple[int, int] = (5_432, 41_000), **what: Any) -> bytes:
    """An event from server to client."""
    return flow(SERVER, CLIENT, ports=ports, **what)


def opener(*lines: bytes) -> str:
    window = only(lines)
    assert window.attempts == 1
    assert window.direction == "outbound"
    return window.workload


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([forth(flags="SYN", is_reply=False)], id="syn"),
        pytest.param([forth(flags="SYN")], id="syn without flag"),
        pytest.param([forth(flags="SYN", is_reply=True)], id="syn against the flag"),
        pytest.param([back(flags="SYN ACK", is_reply=True)], id="only the answer to the syn"),
        pytest.param([back(flags="SYN ACK")], id="only the answer, without flag"),
        pytest.param([forth(flags="ACK", is_reply=False)], id="mid-stream"),
        pytest.param([back(flags="ACK", is_reply=True)], id="mid-stream reply"),
        pytest.param([back(flags="ACK", reply=True)], id="the old reply member"),
        pytest.param([forth(flags="ACK")], id="ports alone"),
        pytest.param([back(flags="ACK")], id="ports alone, from the server"),
        pytest.param([forth(kind=VERDICT, verdict="DROPPED", flags="SYN")], id="denied"),
        pytest.param([forth(kind=L7, l7={"type": "REQUEST", "http": {}})], id="request"),
        pytest.param([back(kind=L7, l7={"type": "RESPONSE", "http": {}})], id="response"),
    ],
)
def test_the_client_opened_it(lines: list[bytes]) -> None:
    assert opener(*lines) == "cart"


HIGH = (50_100, 50_200)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([forth(HIGH, flags="SYN")], id="syn"),
        pytest.param([back(HIGH[::-1], flags="ACK", is_reply=True)], id="reply"),
        pytest.param([forth(HIGH, kind=VERDICT, flags="SYN", is_reply=False)], id="verdict"),
        pytest.param([forth(HIGH, protocol="UDP", kind=VERDICT)], id="udp verdict"),
        pytest.param(
            [
                forth(HIGH, protocol="UDP", is_reply=False),
                back(HIGH[::-1], protocol="UDP", is_reply=True),
            ],
            id="udp flags",
        ),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_ports_do_not_matter_where_flags_tell(lines: list[bytes], swapped: bool) -> None:
    if swapped:  # the client has the higher port instead of the lower one
        lines = [
            line.replace(b"50100", b"X").replace(b"50200", b"50100").replace(b"X", b"50200")
            for line in lines
        ]
    assert opener(*lines) == "cart"


@pytest.mark.parametrize("is_reply", [False, True, None])
def test_a_wrong_reply_flag_of_udp_does_not_turn_a_query_round(is_reply: bool | None) -> None:
    assert opener(forth((41_000, 53), protocol="UDP", is_reply=is_reply)) == "cart"


@pytest.mark.parametrize("is_reply", [False, True, None])
def test_a_wrong_reply_flag_of_udp_does_not_turn_an_answer_round(is_reply: bool | None) -> None:
    assert opener(back((53, 41_000), protocol="UDP", is_reply=is_reply)) == "cart"


def test_an_answer_without_its_reply_flag_scans_no_ports() -> None:
    """Ephemeral ports as destination ports look like a scan of the client."""
    lines = [
        flow(SERVER, CLIENT, protocol="UDP", ports=(53, port), point="TO_ENDPOINT", is_reply=False)
        for port in range(40_000, 40_050)
    ]
    window = only(lines)
    assert (window.workload, window.peer_ports, window.attempts) == ("cart", 1, 50)


def test_a_syn_beats_a_reply_flag_of_the_other_direction() -> None:
    assert opener(forth(HIGH, flags="SYN"), back(HIGH[::-1], flags="ACK", is_reply=False)) == "cart"


def test_an_often_seen_service_port_tells_the_server() -> None:
    """Both ports are no client's: the one that served others is the service."""
    known = [
        line
        for port in range(3)
        for line in datagrams(CLIENT, SERVER, port=9_000, from_port=40_000 + port)
    ]
    other: Party = pod("shop/web-0", node="node-a")
    unclear = flow(SERVER, other, protocol="UDP", ports=(9_000, 20_000), at=1)
    subjects = {window.workload: window.attempts for window in windows([*known, unclear])}
    assert subjects == {"cart": 3, "web": 1}


def test_equal_ports_are_judged_the_same_in_any_order() -> None:
    lines = [
        flow(CLIENT, SERVER, protocol="UDP", ports=(123, 123)),
        flow(SERVER, CLIENT, protocol="UDP", ports=(123, 123)),
    ]
    assert windows(lines) == windows(lines[::-1])
    assert only(lines).attempts == 1


def test_a_masked_source_port_is_the_clients() -> None:
    """A field mask may leave the client's port out; the port that is there is the server's."""
    assert opener(flow(CLIENT, SERVER, ports=(0, 5_432), flags="ACK", is_reply=False)) == "cart"
    window = only([flow(CLIENT, SERVER, ports=(0, 50_432), protocol="UDP")])
    assert (window.workload, window.edges[0].port) == ("cart", 50_432)


def test_a_connection_seen_only_by_its_replies_is_the_clients() -> None:
    lines = [line for line in tcp(CLIENT, SERVER) if b'"is_reply":true' in line]
    assert lines
    assert opener(*lines) == "cart"


def test_a_denied_pair_is_the_senders_whatever_the_ports() -> None:
    """A scanner may send from a low port."""
    window = only([forth((53, 45_000), protocol="UDP", kind=VERDICT, verdict="DROPPED")])
    assert (window.workload, window.denied, window.edges[0].port) == ("cart", 1, 45_000)


@pytest.mark.parametrize(
    "what",
    [
        {"kind": VERDICT, "verdict": "DROPPED"},
        {"kind": DROP, "verdict": "DROPPED", "drop_reason": 133},
        {"kind": VERDICT, "is_reply": False},
        {"kind": VERDICT, "verdict": "AUDIT"},
    ],
)
def test_a_verdict_on_a_packet_from_the_midst_scans_no_ports(what: dict[str, Any]) -> None:
    """Cilium forgot the connection, so it judges the server's next packet as if it were new."""
    lines = [
        flow(SERVER, CLIENT, ports=(5_432, port), flags="PSH ACK", at=port / 1e3 - 40, **what)
        for port in range(40_000, 40_050)
    ]
    window = only(lines)
    assert (window.workload, window.peer_ports, window.attempts) == ("cart", 1, 50)


def test_a_drop_that_is_marked_as_a_reply_is_one() -> None:
    reply = back(HIGH[::-1], kind=DROP, verdict="DROPPED", drop_reason=133, is_reply=True)
    assert opener(reply) == "cart"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_destination_has_its_name_whichever_event_is_seen_first(order: tuple[int, ...]) -> None:
    outside = world("203.0.113.9")
    named = {"destination_names": ["api.partner.example"]}
    forth = {"flags": "SYN", "is_reply": False, "ports": (41_000, 443), **named}
    events = [
        flow(CLIENT, outside, at=1.0, kind=VERDICT, **forth),
        flow(CLIENT, outside, at=1.001, point="TO_STACK", **forth),
        flow(
            outside,
            CLIENT,
            at=1.02,
            flags="SYN ACK",
            is_reply=True,
            point="TO_ENDPOINT",
            ports=(443, 41_000),
            node="node-a",
        ),
    ]
    assert [edge.workload for edge in only([events[n] for n in order]).edges] == [
        "api.partner.example"
    ]
