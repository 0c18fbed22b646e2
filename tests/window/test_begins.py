from __future__ import annotations

from collections.abc import Iterable

from tests.builders import pod, world
from tests.connections import tcp
from tests.running import run

from hubblewatch.window.closed import MAX_BEGINS, EdgeCounts

CART = pod("shop/cart-7d9f8c6b5-abcde", node="node-a")
DB = pod("data/db-0", node="node-b")


def only_edge(lines: Iterable[bytes]) -> tuple[int, EdgeCounts]:
    """The begin of the one window, and its one edge."""
    (closed,) = run(lines).closed
    (window,) = closed.closing.windows
    (edge,) = window.edges.values()
    return window.start, edge


def test_an_external_edge_knows_when_its_attempts_began() -> None:
    lines = [*tcp(CART, world(), at=3.2), *tcp(CART, world(), at=33.9, from_port=41_001)]
    start, edge = only_edge(lines)
    assert edge.begins is not None
    assert sorted(begin - start for begin in edge.begins) == [3, 33]


def test_other_edges_keep_no_times() -> None:
    assert only_edge(tcp(CART, DB))[1].begins is None
    assert only_edge(tcp(world(), CART))[1].begins is None


def test_only_so_many_begins_are_kept() -> None:
    lines = [
        line
        for number in range(MAX_BEGINS + 8)
        for line in tcp(CART, world(), at=float(number), from_port=41_000 + number)
    ]
    edge = only_edge(lines)[1]
    assert edge.attempts == MAX_BEGINS + 8
    assert edge.begins is not None
    assert len(edge.begins) == MAX_BEGINS
