"""Censuses of one window from several exporters."""

from __future__ import annotations

from hubblewatch.flow.schema import Census
from hubblewatch.window.census import joined

START = "2026-03-02T08:00:00Z"


def test_exporters_on_different_nodes_add_up() -> None:
    one, other = Census(START, {"node-a": 3}, 1), Census(START, {"node-b": 4})
    assert joined(joined(None, one), other) == Census(START, {"node-a": 3, "node-b": 4}, 1)


def test_a_repeated_census_changes_nothing() -> None:
    census = Census(START, {"node-a": 3, "node-b": 4}, 2)
    assert joined(census, census) == census


def test_of_two_counts_of_one_node_the_higher_one_holds() -> None:
    one, other = Census(START, {"node-a": 3}), Census(START, {"node-a": 5})
    assert joined(one, other) == joined(other, one) == Census(START, {"node-a": 5})


def test_replies_that_one_exporter_saw_were_recorded() -> None:
    deaf, hearing = Census(START, {"node-a": 3}), Census(START, {"node-b": 4}, answers=True)
    assert joined(deaf, hearing).answers
    assert joined(hearing, deaf).answers
    assert not joined(deaf, deaf).answers
