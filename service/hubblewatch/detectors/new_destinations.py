"""The external destinations of a subject that are new, and whether its old ones change as well."""

from __future__ import annotations

from collections import Counter
from math import log, sqrt

from msgspec import Struct

from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.detectors.destinations import group_of, is_outside, split_edge
from hubblewatch.detectors.novelty import (
    DAY,
    HOUR,
    discovered_through,
    rate_before,
    watched_windows,
)
from hubblewatch.window.closed import ClosedWindow, EdgeKey
from hubblewatch.window.closing import Closing

MAX_CANDIDATES = 16
"""New destinations followed for one subject, the latest ones."""

_LARGER_AT_ONCE = 3
_DEVIATIONS = 2.5


class NewDestination(Struct):
    """A destination (domain or network) first contacted in window ``first``.

    ``watched`` counts the subject's windows before that, ``contacts`` those with contact since.
    """

    name: str
    first: int
    watched: int
    contacts: int


def contacted(window: ClosedWindow) -> dict[str, list[EdgeKey]]:
    """Give the edges to the outside by the destination that they belong to."""
    found: dict[str, list[EdgeKey]] = {}
    for edge, counts in window.edges.items():
        if counts.begins is not None and is_outside(edge):
            found.setdefault(group_of(edge.workload), []).append(edge)
    return found


def follow(
    slot: str, found: dict[str, list[EdgeKey]], past: SubjectMemory, closing: Closing
) -> dict[str, int] | None:
    """Note this window's contacts with new destinations in the subject's ``slot``.

    Gives the destinations met before with the window of their first contact, or None if nothing
    here is new.
    """
    number = closing.number
    news = past.slots.get(slot, {})
    news = {name: numbers for name, numbers in news.items() if numbers[0] > number - HOUR}
    unknown = [
        name
        for name, edges in found.items()
        if name not in news and not any(str(edge) in past.edges for edge in edges)
    ]
    known: dict[str, int] | None = None
    if unknown or not news.keys().isdisjoint(found):
        known = _known(past)
        for name in unknown:
            if name not in known:
                news[name] = [number, watched_windows(past), 0]
        if closing.is_complete:
            for name in news.keys() & found.keys():
                news[name][2] += 1
    kept = sorted(news, key=lambda name: (-news[name][0], name))[:MAX_CANDIDATES]
    if kept:
        past.slots[slot] = {name: news[name] for name in sorted(kept)}
    else:
        past.slots.pop(slot, None)
    return known


def followed(slot: str, past: SubjectMemory) -> list[NewDestination]:
    """Give the new destinations that are followed, latest first."""
    found = [
        NewDestination(name, *map(int, numbers))
        for name, numbers in past.slots.get(slot, {}).items()
    ]
    return sorted(found, key=lambda destination: (-destination.first, destination.name))


def surprise(news: list[NewDestination], windows: int) -> float:
    """Give minus the logarithm of the chance that none of them was seen earlier.

    One contact is what made us look, and does not count.
    """
    total = 0.0
    largest = 0.0
    for destination in news:
        since = max(1, windows - destination.watched, destination.contacts)
        unit = log((destination.watched + since) / since)
        total += destination.contacts * unit
        largest = max(largest, unit)
    return max(0.0, total - largest)


class Turnover:
    """How often a subject's destinations changed before: windows in which new ones came."""

    def __init__(self, past: SubjectMemory, firsts: list[int]) -> None:
        self._past = past
        discovered = discovered_through(past)
        self._firsts = [first for first in firsts if first > discovered]

    def rate(self, since: int) -> float:
        """Give how many windows with new destinations are to be expected in one."""
        return rate_before(len(self._before(since)), self._past, since)

    def explains(self, news: list[NewDestination], number: int) -> bool:
        """Tell whether so many new destinations are how this subject is.

        Destinations change in groups (one service, some addresses), so groups are counted; one
        that is three times the largest before is something else.
        """
        now = Counter(destination.first for destination in news)
        since = min(now)
        before = self._before(since)
        if not before or max(now.values()) >= _LARGER_AT_ONCE * max(before.values()):
            return False
        expected = self.rate(since) * (number - since + 1)
        return len(now) <= expected + _DEVIATIONS * sqrt(expected)

    def _before(self, since: int) -> Counter[int]:
        return Counter(first for first in self._firsts if since - DAY < first < since)


def _known(past: SubjectMemory) -> dict[str, int]:
    known: dict[str, int] = {}
    for text, span in past.edges.items():
        edge = split_edge(text)
        if is_outside(edge):
            name = group_of(edge.workload)
            known[name] = min(span.first, known.get(name, span.first))
    return known
