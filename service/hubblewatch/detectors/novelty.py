"""How surprising something new is for a subject, by its own rate of new things so far.

What a subject shows in its first windows is taken as given, whether it is as old as the stream or
new in the cluster: a new service meets its partners then. After that, new things are taken to
come at random with the rate at which they came before. Nothing is given to a workload that served
others for an hour and opened no connection: it was watched, and had no partners.
"""

from __future__ import annotations

from math import exp, log1p

from hubblewatch.baseline.estimate import BaselineState
from hubblewatch.baseline.past import MAX_EDGES, SubjectMemory
from hubblewatch.detectors.finding import RESOLVE_AFTER_WINDOWS

HOUR = 60
DAY = 24 * HOUR
"""In windows."""

WARM_UP_WINDOWS = 10
"""First windows of a subject: what it does in them is how it is."""

DISCOVERY_WINDOWS = WARM_UP_WINDOWS // 2
"""First windows in which everything comes for the first time; what comes afterwards, in the rest of
the warm-up too, tells how often something new comes."""

AT_ONCE_WINDOWS = 5
"""New things within so many windows come at once. By chance that is rare, so less proof will do: a
slow succession has a whole day of beginnings to be found by chance in, one burst has not."""

WATCHED_WINDOWS = 10
"""Windows after the discovery from which the rate of new things says something."""

_TOLD = "told"

RESTLESS_RATE = 1 / 20
"""New things a window from which one more is not worth a word: three an hour."""


def given_through(past: SubjectMemory) -> int | None:
    """Give the last window number of the warm-up; None while it lasts.

    A subject that is seen only now and then takes as many windows with traffic.
    """
    if past.served:
        return past.first - 1
    if past.windows < WARM_UP_WINDOWS:
        return None
    return past.first + WARM_UP_WINDOWS - 1


def discovered_through(past: SubjectMemory) -> int:
    """Give the last window number of the discovery."""
    if past.served:
        return past.first - 1
    return past.first + DISCOVERY_WINDOWS - 1


def is_known_well(past: SubjectMemory) -> bool:
    """Tell whether a subject was watched for an hour."""
    return bool(past.served) or past.state is BaselineState.ACTIVE


def watched_windows(past: SubjectMemory) -> int:
    """Give the windows in which a subject was seen, be it that it only served."""
    return past.windows + past.served


def rate_before(arrivals: int, past: SubjectMemory, since: int) -> float:
    """Give the new things a window to be expected, after ``arrivals`` of them before ``since``.

    Arrivals are those after the discovery, of the last day at most. Half a one more is reckoned
    with (Jeffreys' prior of a Poisson rate): that none came yet does not mean that none ever do.
    """
    return (arrivals + 0.5) / max(1, watched_before(past, since))


def forgotten_through(past: SubjectMemory) -> int:
    """Give the last window of which edges may be forgotten; -1 while there is room for all.

    What came after it is all there: it was seen later than the one that goes next.
    """
    if len(past.edges) < MAX_EDGES:
        return -1
    return next(iter(past.edges.values())).last


def not_watched_through(past: SubjectMemory, since: int) -> int:
    """Give the last window that tells nothing of the rate before ``since``."""
    return max(discovered_through(past), since - DAY, forgotten_through(past))


def watched_before(past: SubjectMemory, since: int) -> int:
    """Give the windows before ``since`` in which something new could have come and be noticed.

    Those after the discovery, of the last day at most; windows without traffic are none.
    """
    begin = not_watched_through(past, since)
    if past.served:
        return min(DAY, max(0, min(since - begin - 1, past.windows)) + past.served)
    return max(0, min(since - begin - 1, past.windows - DISCOVERY_WINDOWS))


def chance_of_more(count: int, windows: int, arrivals: int, watched: int) -> float:
    """Give the probability of ``count`` arrivals or more in ``windows``, at an unchanged rate.

    The rate is known from ``arrivals`` in ``watched`` windows only, so it is not taken for sure:
    with Jeffreys' prior of a Poisson rate, what comes next has a negative binomial distribution (A.
    Gelman et al., Bayesian Data Analysis, section 2.6). Who was watched for ten minutes may well
    meet three new peers in the next hour, who was watched for a day may not.
    """
    if watched <= 0:
        return 1.0
    shape = arrivals + 0.5
    term = exp(-shape * log1p(windows / watched))
    share = windows / (windows + watched)
    below = 0.0
    for number in range(count):
        below += term
        term *= (shape + number) / (number + 1) * share
    if below < 1.0 - 1e-9:
        return 1.0 - below
    # So rare that the difference from one has no digits left: add up the tail, which falls fast.
    above = 0.0
    while term > above * 1e-12:
        above += term
        term *= (shape + count) / (count + 1) * share
        count += 1
    return above


def settled_through(past: SubjectMemory, detector: str, number: int) -> int:
    """Give the last window whose new things were told in an incident that is over; -1 if none.

    They are known, then: another alert needs new things of its own.
    """
    last, settled = past.slots.get(_TOLD, {}).get(detector, (-1.0, -1.0))
    return int(last if number - last > RESOLVE_AFTER_WINDOWS else settled)


def note_told(past: SubjectMemory, detector: str, number: int) -> None:
    """Note that window ``number`` gave a finding that pages."""
    settled = settled_through(past, detector, number)
    past.slots.setdefault(_TOLD, {})[detector] = [float(number), float(settled)]
