"""Along which edges a subject's attempts usually go, and how far the last windows are from that.

Whoever has a workload's rights needs no new contact: what differs is how its attempts spread over
the contacts that it has. Kept are, for each of the busiest edges, its share of the attempts lately
and in the long run, as numbers in the subject's slot. Look-ups are left out: they have a feature of
their own.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING
from zlib import crc32

from hubblewatch.baseline.estimate import SLOWEST_RATE
from hubblewatch.model.lately import RATE
from hubblewatch.model.shares import SLOT

if TYPE_CHECKING:
    from hubblewatch.baseline.past import SubjectMemory
    from hubblewatch.window.closed import ClosedWindow, EdgeKey

MAX_KEPT = 32
"""Edges kept of a subject, those with the largest shares; the rest counts as one."""

_KEY = "mixture"
_PRIOR = 5.0
"""So many attempts along usual edges are added to a window: one of two is no half yet."""

_SAME_WINDOWS = (2 - RATE) / RATE
_LEAST_APART = 0.25
_GROWN = 0.05
_DNS_PORT = 53
_REST = 0.0


def mixture_distance(memory: SubjectMemory, window: ClosedWindow) -> float:
    """Take a window; give how much of the last attempts goes where it usually does not, 0..1.

    Half the sum of the differences between the shares lately and in the long run.
    """
    slot = memory.slots.setdefault(SLOT, {})
    kept = slot.get(_KEY, [0.0])
    count = kept[0] + 1
    usual = dict(zip(kept[1::3], kept[3::3], strict=True))
    lately = dict(zip(kept[1::3], kept[2::3], strict=True))
    attempts: dict[float, int] = {}
    for edge, counts in window.edges.items():
        if edge.port == _DNS_PORT and edge.protocol == "udp":
            continue
        key = _key_of(edge)
        attempts[key] = attempts.get(key, 0) + counts.attempts
    total = sum(attempts.values())
    prior = _PRIOR / (total + _PRIOR) if usual else 0.0
    slow = max(1 / count, SLOWEST_RATE)
    fast = max(1 / count, RATE)
    distance = 0.0
    merged = []
    # Sorted, because a sum depends on its order.
    for key in sorted(usual.keys() | attempts.keys()):
        was = usual.get(key, 0.0)
        share = prior * was + (1 - prior) * attempts.get(key, 0) / max(total, 1)
        now = lately.get(key, 0.0)
        now += fast * (share - now)
        distance += abs(now - was) if usual else 0.0
        merged.append((was + slow * (share - was), now, key))
    slot[_KEY] = _written(count, merged)
    # Both shares begin as the same mean, and part as the long run gets longer.
    apart = max(1 - _SAME_WINDOWS / count, _LEAST_APART)
    return min(distance / 2 / sqrt(apart), 1.0)


def grown_edges(memory: SubjectMemory, window: ClosedWindow) -> list[EdgeKey]:
    """Give the window's edges whose share lately is clearly above what it is in the long run."""
    kept = memory.slots.get(SLOT, {}).get(_KEY, [0.0])
    rise = {key: now - was for key, now, was in zip(*(kept[k::3] for k in (1, 2, 3)), strict=True)}
    return [edge for edge in window.edges if rise.get(_key_of(edge), 0.0) >= _GROWN]


def _key_of(edge: EdgeKey) -> float:
    return float(crc32(str(edge).encode("utf-8", "surrogatepass")) or 1)


def _written(count: float, merged: list[tuple[float, float, float]]) -> list[float]:
    if len(merged) > MAX_KEPT:
        rest = [entry for entry in merged if entry[2] == _REST]
        named = sorted(entry for entry in merged if entry[2] != _REST)
        gone = named[: len(named) - MAX_KEPT + 1] + rest
        merged = named[len(named) - MAX_KEPT + 1 :]
        merged.append((sum(e[0] for e in gone), sum(e[1] for e in gone), _REST))
    written = [count]
    for was, now, key in merged:
        written += (key, now, was)
    return written
