"""How surprising something new is for a subject, by its own rate of new things so far.

What a subject shows in its first windows is taken as given, whether it is as old as the stream or
new in the cluster: a new service meets its partners then. After that, new things are taken to
come at random with the rate at which they came before.
"""

from __future__ import annotations

from math import exp

from hubblewatch.baseline.past import SubjectMemory

HOUR = 60
DAY = 24 * HOUR
"""In windows."""

WARM_UP_WINDOWS = 10
"""First windows of a subject: what it does in them is how it is."""

DISCOVERY_WINDOWS = WARM_UP_WINDOWS // 2
"""First windows in which everything comes for the first time; what comes afterwards, in the rest of
the warm-up too, tells how often something new comes."""

RESTLESS_RATE = 1 / 20
"""New things a window from which one more is not worth a word: three an hour."""


def given_through(past: SubjectMemory) -> int | None:
    """Give the last window number of the warm-up; None while it lasts.

    A subject that is seen only now and then takes as many windows with traffic.
    """
    if past.windows < WARM_UP_WINDOWS:
        return None
    return past.first + WARM_UP_WINDOWS - 1


def discovered_through(past: SubjectMemory) -> int:
    """Give the last window number of the discovery."""
    return past.first + DISCOVERY_WINDOWS - 1


def rate_before(arrivals: int, past: SubjectMemory, since: int) -> float:
    """Give the new things a window to be expected, after ``arrivals`` of them before ``since``.

    Arrivals are those after the discovery, of the last day at most. Half a one more is reckoned
    with (Jeffreys' prior of a Poisson rate): that none came yet does not mean that none ever do.
    Windows without traffic are no time in which something could have come.
    """
    begin = max(discovered_through(past), since - DAY)
    watched = min(since - begin - 1, past.windows - DISCOVERY_WINDOWS)
    return (arrivals + 0.5) / max(1, watched)


def chance_of(count: int, mean: float) -> float:
    """Give the probability of at least so many arrivals where ``mean`` are expected (Poisson)."""
    term = exp(-mean)
    below = 0.0
    for number in range(count):
        below += term
        term *= mean / (number + 1)
    return max(0.0, 1.0 - below)
