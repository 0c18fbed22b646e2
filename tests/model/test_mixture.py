"""How far attempts lately go along other edges than usual."""

from __future__ import annotations

import pytest

from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.model.mixture import MAX_KEPT, grown_edges, mixture_distance
from hubblewatch.model.shares import SLOT
from hubblewatch.window.closed import ClosedWindow
from tests.closings import CART, attempts


def window(**counts: int) -> ClosedWindow:
    """A minute with so many attempts to each peer."""
    made = ClosedWindow(CART, 0, 60, "default")
    for name, count in counts.items():
        attempts(made, count, to=f"shop/{name}")
    return made


def settled(minutes: int = 100) -> SubjectMemory:
    """A subject that goes to one peer three times as often as to another."""
    memory = SubjectMemory()
    for _ in range(minutes):
        mixture_distance(memory, window(stock=30, cache=10))
    return memory


def test_the_usual_mixture_is_no_distance_however_much_there_is_of_it() -> None:
    memory = settled()
    distances = [mixture_distance(memory, window(stock=300, cache=100)) for _ in range(10)]
    assert max(distances) < 0.001


def test_known_contacts_in_other_proportions_are_a_distance() -> None:
    memory = settled()
    distances = [mixture_distance(memory, window(stock=20, cache=20)) for _ in range(10)]
    assert distances == sorted(distances)
    # A quarter goes elsewhere; of that, nine tenths are lately, and a few count as usual.
    assert 0.17 < distances[-1] < 0.25


def test_look_ups_are_not_part_of_it() -> None:
    memory = settled()
    made = window(stock=30, cache=10)
    attempts(made, 500, to="kube-system/dns", port=53, protocol="udp")
    assert mixture_distance(memory, made) < 0.001


def test_few_attempts_say_little() -> None:
    few, many = settled(), settled()
    assert 3 * mixture_distance(few, window(cache=1)) < mixture_distance(many, window(cache=40))


def test_the_order_in_which_edges_were_met_does_not_matter() -> None:
    one, other = settled(), settled()
    first = mixture_distance(one, window(a=7, b=3, c=11, stock=1))
    assert mixture_distance(other, window(stock=1, c=11, b=3, a=7)) == first
    assert one.slots == other.slots


def test_the_smallest_of_many_edges_are_kept_as_one() -> None:
    memory = settled()
    many = {f"peer{number}": 1 for number in range(3 * MAX_KEPT)}
    for _ in range(5):
        mixture_distance(memory, window(stock=30, cache=10, **many))
    kept = memory.slots[SLOT]["mixture"]
    assert len(kept) == 1 + 3 * MAX_KEPT
    assert sum(kept[3::3]) == pytest.approx(1.0)


def test_the_edges_that_grew_are_told() -> None:
    memory = settled()
    made = window(stock=20, cache=20)
    for _ in range(5):
        mixture_distance(memory, made)
    assert [edge.workload for edge in grown_edges(memory, made)] == ["cache"]
