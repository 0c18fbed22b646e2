"""When a connection begins, and when the same five-tuple is another one."""

from __future__ import annotations

import pytest
from tests.builders import flow, pod, rfc3339
from tests.connections import datagrams, tcp
from tests.refusals import denied
from tests.running import run, windows

CART = pod("shop/cart-7d9f8c6b5-x2x7z", node="node-a")
DB = pod("data/db-0", node="node-b", kind="StatefulSet")


def attempts(lines: list[bytes], **settings: int) -> dict[str, int]:
    """Attempts by the begin of their window."""
    return {window.start[11:16]: window.attempts for window in windows(lines, **settings)}


def talk(*seconds: float) -> list[bytes]:
    return [
        flow(CART, DB, at=at, flags="ACK", point="TO_OVERLAY", is_reply=False) for at in seconds
    ]


def test_a_long_connection_counts_where_it_began() -> None:
    lines = tcp(CART, DB, ends=False) + talk(*range(5, 600, 5))
    assert attempts(lines) == {"08:00": 1}


def test_a_connection_that_talks_now_and_then_counts_once() -> None:
    lines = tcp(CART, DB, ends=False) + talk(110, 225, 340, 455)
    assert attempts(lines) == {"08:00": 1}


def test_the_same_ports_after_a_long_silence_are_another_attempt() -> None:
    assert attempts(tcp(CART, DB) + tcp(CART, DB, at=400)) == {"08:00": 1, "08:06": 1}


def test_the_same_ports_soon_after_are_the_same_attempt() -> None:
    assert attempts(tcp(CART, DB) + tcp(CART, DB, at=90)) == {"08:00": 1}


def test_ports_used_again_within_one_large_window_are_two_attempts() -> None:
    lines = denied(CART, DB, retransmissions=0) + tcp(CART, DB, at=200, port=5_432)
    found = windows(lines, size=600)
    assert [(w.attempts, w.denied, w.allowed) for w in found] == [(2, 1, 1)]


def test_an_address_that_another_pod_took_over_is_that_pods() -> None:
    heir = pod("blog/abel-0", node="node-a", address=CART.address)
    lines = tcp(CART, DB) + tcp(heir, DB, at=200)
    assert [(w.workload, w.attempts) for w in windows(lines)] == [("cart", 1), ("abel", 1)]


@pytest.mark.parametrize("at", [59.999, 59.9999, 60.0])
def test_a_begin_at_the_boundary_counts_in_its_own_window(at: float) -> None:
    lines = tcp(CART, DB, at=at)
    expected = {"08:00" if at < 60 else "08:01": 1}
    assert attempts(lines) == expected
    assert attempts(lines[::-1]) == expected


def test_evidence_from_shortly_after_the_window_still_counts() -> None:
    lines = tcp(CART, DB, at=59.9995)
    assert [window.allowed for window in windows(lines)] == [1]


def test_a_denial_long_after_the_window_does_not_change_it_in_any_order() -> None:
    lines = datagrams(CART, DB, at=59) + denied(
        CART, DB, at=66, port=53, protocol="UDP", retransmissions=0
    )
    assert windows(lines) == windows(lines[::-1])


@pytest.mark.parametrize("size", [1, 5, 10, 60])
def test_small_windows_close_the_same_in_any_order(size: int) -> None:
    lines = tcp(CART, DB, ends=False) + talk(*range(1, 9)) + denied(CART, DB, at=2, port=81)[:6]
    settings = {"size": size, "lateness": 12, "settle": 1}
    assert windows(lines[::-1], **settings) == windows(lines, **settings)


def test_connections_are_forgotten() -> None:
    lines = [
        line
        for at in range(0, 3_600, 10)
        for line in datagrams(CART, DB, at=at, from_port=40_000 + at)
    ]
    found = run(lines)
    assert found.pipeline.connections < 60


@pytest.mark.parametrize("zone", ["+00:01", ".500+00:01"])
def test_a_time_of_another_zone_is_not_that_of_the_flow_before_it(zone: str) -> None:
    """Its characters are the same up to the second, its minute is the one before."""
    # Before this many seconds in order each flow is looked at by itself.
    before = [
        flow(CART, DB, at=at, flags="SYN", point="TO_OVERLAY", ports=(42_000 + at, 8_080))
        for at in range(61, 90)
    ]
    first = flow(CART, DB, at=90, flags="SYN", point="TO_OVERLAY")
    last = flow(CART, DB, at=90, flags="SYN", point="TO_OVERLAY", ports=(41_002, 8_080))
    stamp = rfc3339(90, digits=0).removesuffix("Z")
    other = flow(CART, DB, at=90, flags="SYN", point="TO_OVERLAY", ports=(41_001, 8_080))
    other = other.replace(rfc3339(90).encode(), f"{stamp}{zone}".encode())
    assert attempts([first, other, first], lateness=60) == {"08:00": 1, "08:01": 1}
    lines = [*before, first, other, last]
    assert attempts(lines, lateness=60) == {"08:00": 1, "08:01": 31}
