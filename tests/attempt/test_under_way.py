"""A connection first seen in its midst did not begin there, unless the stream itself did."""

from __future__ import annotations

from tests.builders import flow, pod
from tests.connections import tcp
from tests.running import windows

CLIENT = pod("shop/cart-7d9f8c6b5-x2x7z", node="a")
SERVER = pod("shop/redis-0", node="b")
OTHER = pod("shop/web-6c8d7f9b5-q8w4m", node="a")


def packet(at: float) -> bytes:
    return flow(
        source=CLIENT,
        destination=SERVER,
        ports=(41_000, 6_379),
        at=at,
        flags="ACK",
        is_reply=False,
    )


def attempts_of(lines: list[bytes], workload: str) -> int:
    return sum(w.attempts for w in windows(lines) if w.workload == workload)


def later_traffic(at: float) -> list[bytes]:
    return list(tcp(OTHER, SERVER, at=at, from_port=50_000 + int(at), port=6_379))


def test_a_connection_of_a_recording_that_begins_in_its_midst_counts() -> None:
    assert attempts_of([packet(0.0), packet(5.0)], "cart") == 1


def test_a_connection_that_speaks_after_a_long_silence_is_no_new_attempt() -> None:
    begun = list(tcp(CLIENT, SERVER, at=0.0, from_port=41_000, port=6_379))
    lines = [*begun, *later_traffic(70.0), *later_traffic(200.0), *later_traffic(320.0)]
    assert attempts_of([*lines, packet(400.0)], "cart") == 1


def test_a_connection_opened_anew_with_the_same_ports_is_a_new_attempt() -> None:
    first = list(tcp(CLIENT, SERVER, at=0.0, from_port=41_000, port=6_379))
    again = list(tcp(CLIENT, SERVER, at=400.0, from_port=41_000, port=6_379))
    lines = [*first, *later_traffic(70.0), *later_traffic(200.0), *later_traffic(320.0), *again]
    assert attempts_of(lines, "cart") == 2
