"""Nobody teaches a baseline by growing slowly: what grows 5 % or 0.5 % a window is told in time."""

from __future__ import annotations

import pytest
from tests.detectors.growing import (
    Traffic,
    addresses,
    denied,
    edges,
    failed,
    grow,
    namespaces,
    outside,
    ports,
    udp,
    udp_of_all,
)

HOURS = 5 * 60
DAYS = 2 * 24 * 60


@pytest.mark.parametrize(
    ("detector", "traffic", "usual", "multiple"),
    [
        ("policy-denials", denied, 2.0, 5),
        ("policy-denials", denied, 10.0, 3),
        ("connectivity-errors", failed, 2.0, 5),
        ("udp-spike", udp, 60.0, 4),
        ("udp-spike", udp_of_all, 10.0, 10),
        # So many more than nearly none: what is counted are those of five windows.
        ("port-scan", ports, 0.05, 70),
        ("host-sweep", addresses, 0.05, 70),
        ("namespace-sprawl", namespaces, 0.01, 36),
        ("new-edge", edges, 0.01, 36),
        ("external-egress", outside, 0.01, 25),
    ],
)
def test_five_per_cent_a_window_are_told_within_two_hours(
    detector: str, traffic: Traffic, usual: float, multiple: float
) -> None:
    grown = grow(detector, traffic, usual, 0.05, HOURS)
    assert grown.window is not None
    assert grown.window <= 120
    assert grown.multiple <= multiple


@pytest.mark.parametrize(
    ("detector", "traffic", "usual", "multiple"),
    [
        ("policy-denials", denied, 10.0, 10),
        ("connectivity-errors", failed, 2.0, 40),
        ("udp-spike", udp, 60.0, 8),
        ("udp-spike", udp_of_all, 10.0, 12),
    ],
)
def test_half_a_per_cent_a_window_is_told_where_the_day_before_is_known(
    detector: str, traffic: Traffic, usual: float, multiple: float
) -> None:
    grown = grow(detector, traffic, usual, 0.005, DAYS)
    assert grown.false <= 2
    assert grown.window is not None
    assert grown.multiple <= multiple


@pytest.mark.parametrize(
    ("detector", "traffic", "usual"),
    [
        ("policy-denials", denied, 10.0),
        ("connectivity-errors", failed, 2.0),
        ("udp-spike", udp, 60.0),
        ("udp-spike", udp_of_all, 10.0),
    ],
)
def test_half_a_per_cent_a_window_is_told_in_the_first_day(
    detector: str, traffic: Traffic, usual: float
) -> None:
    grown = grow(detector, traffic, usual, 0.005, HOURS)
    assert grown.window is not None
    assert grown.multiple <= 100


@pytest.mark.parametrize(
    ("detector", "traffic", "usual"),
    [
        ("port-scan", ports, 0.05),
        ("host-sweep", addresses, 0.05),
        ("namespace-sprawl", namespaces, 0.01),
        ("new-edge", edges, 0.01),
        ("external-egress", outside, 0.01),
    ],
)
def test_slow_searching_is_told_whatever_its_growth(
    detector: str, traffic: Traffic, usual: float
) -> None:
    grown = grow(detector, traffic, usual, 0.005, HOURS)
    assert grown.window is not None
    assert grown.multiple <= 70
