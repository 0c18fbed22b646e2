"""Nodes that Relay cannot reach: told by its node states, refuted by events that came later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hubblewatch.attempt.intake import NodeState
from hubblewatch.baseline.past import StreamMemory
from hubblewatch.window.completeness import bare_node

MAX_NODES = 10_000
"""Nodes held as unavailable."""


def take_states(stream: StreamMemory, states: Iterable[NodeState], number: int) -> None:
    """Take the node states told in window ``number``, by their time and in whatever order."""
    away = _away(stream)
    for _, is_connected, name in sorted(states):
        if is_connected:
            away.pop(name, None)
        elif name in away or len(away) < MAX_NODES:
            away[name] = number
    _set(stream, away)


def take_events(stream: StreamMemory, events: Mapping[str, int], number: int) -> None:
    """Take the events of window ``number``: a node that was told away before it is back."""
    if not stream.unavailable:
        return
    heard = {bare_node(name) for name, count in events.items() if count}
    away = _away(stream)
    _set(stream, {n: at for n, at in away.items() if at >= number or bare_node(n) not in heard})


def _away(stream: StreamMemory) -> dict[str, int]:
    return {name: stream.unavailable_since.get(name, -1) for name in stream.unavailable}


def _set(stream: StreamMemory, away: dict[str, int]) -> None:
    stream.unavailable = sorted(away)
    stream.unavailable_since = {name: away[name] for name in stream.unavailable}
