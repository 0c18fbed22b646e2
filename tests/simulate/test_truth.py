"""The truth against an independent count of the lines."""

from collections import Counter

import pytest

from hubblewatch.simulate import Aggregation, Vantage
from tests.simulate.attempts import Key, count_attempts
from tests.simulate.recording import Recording, recording

MINUTE = 60_000_000_000


def expected(made: Recording) -> dict[Key, Counter[str]]:
    """The truth in the form of the brute-force count."""
    windows: dict[Key, Counter[str]] = {}
    for window in made.truth.windows:
        counts = Counter({name: count for name, count in window.counts.items() if count})
        counts.update({f"peer:{namespace}": 1 for namespace in window.peer_namespaces})
        windows[(window.start_ns // MINUTE, *window.subject)] = counts
    return windows


@pytest.mark.parametrize("vantage", list(Vantage))
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_truth_equals_a_count_of_the_lines(aggregation: Aggregation, vantage: Vantage) -> None:
    made = recording(
        "policy-break", "connectivity-errors", aggregation=aggregation, vantage=vantage
    )
    assert count_attempts(list(made.flows())) == expected(made)


@pytest.mark.parametrize("seed", range(2, 8))
def test_truth_equals_a_count_of_the_lines_in_other_clusters(seed: int) -> None:
    made = recording("node-loss", "rollout", "host-sweep", seed=seed)
    assert count_attempts(list(made.flows())) == expected(made)


@pytest.mark.parametrize(
    "scenario",
    ["dns-tunnel", "new-egress", "beacon", "batch-peak", "scale-out", "new-service", "port-scan",
     "lateral-movement", "udp-share-shift", "namespace-sprawl-fast", "denied-probe"],
)  # fmt: skip
def test_truth_equals_a_count_of_the_lines_under_a_scenario(scenario: str) -> None:
    made = recording(scenario, seed=11)
    assert count_attempts(list(made.flows())) == expected(made)


def test_counts_of_a_window_add_up() -> None:
    for window in recording("policy-break").truth.windows:
        counts = window.counts
        outcomes = ("allowed", "denied", "audited", "dropped", "failed")
        assert sum(counts[name] for name in outcomes) == counts["attempts"]
        assert counts["tcp"] + counts["udp"] + counts["sctp"] == counts["attempts"]


def test_window_lines_come_sorted_by_time_and_subject() -> None:
    order = [(window.start_ns, window.subject) for window in recording().truth.windows]
    assert order == sorted(order)
    assert len(set(order)) == len(order)
