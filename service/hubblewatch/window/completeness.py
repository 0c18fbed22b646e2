"""How much of a window's traffic was seen: lost events, silent nodes and gaps in the stream."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

SILENT_AFTER_EVENTS = 20.0
"""A node counts as silent only if it usually has this many events a window: at a Poisson rate of 20
an empty window by chance has a probability of 2e-9."""

FORGET_AFTER_WINDOWS = 15
"""A node silent for so long is gone for good; its share is no longer missed."""

LOSS_NOTICED_LATE_SECONDS = 2
"""Hubble reports a loss up to so long after it happened."""

_RATE = 0.2


STREAM_GAP = "stream-gap"
"""What our own reader missed while it was not connected: an estimate."""

EXPORTER_BUFFER = "exporter-buffer"
"""What an exporter read and had no room to keep until Kafka took it."""

_LOSS_SOURCES: dict[str | int, str] = {
    1: "PERF_EVENT_RING_BUFFER",
    2: "OBSERVER_EVENTS_QUEUE",
    3: "HUBBLE_RING_BUFFER",
}


def loss_source(source: str | int) -> str:
    """Give the name of a loss's source, ``other`` for one that is not known: a closed set."""
    name = _LOSS_SOURCES.get(source, str(source))
    known = (STREAM_GAP, EXPORTER_BUFFER, *_LOSS_SOURCES.values())
    return name if name in known else "other"


def windows_of_loss(second: int, size: int) -> set[int]:
    """Give the numbers of the windows that a loss reported at ``second`` leaves incomplete."""
    return {second // size, (second - LOSS_NOTICED_LATE_SECONDS) // size}


class NodeHabit(Struct):
    """Usual events a window of one node (exponential mean), and for how long it has been silent."""

    usual: float = 0.0
    silent_windows: int = 0
    windows: int = 0


class Completeness(Struct, frozen=True):
    """``share`` in 0..1 is (1 - lost share) x (1 - silent nodes' share) x (1 - gap share)."""

    share: float
    lost: int
    lost_share: float
    silent_nodes: list[str]
    silent_share: float
    gap_share: float


class NodeWatch(Struct):
    """What is usual for each node of the stream; part of the state that survives a restart."""

    nodes: dict[str, NodeHabit] = field(default_factory=dict)

    def judge(
        self,
        events: Mapping[str, int],
        lost: int,
        gap_share: float,
        unavailable: frozenset[str],
        *,
        is_share: bool = False,
        refused: int = 0,
        taken: int = 0,
    ) -> Completeness:
        """Judge a window by its events per node, events lost, and share of heartbeats missing.

        ``unavailable`` are nodes that Relay reports as gone or in error: silent even when their
        usual rate is too low to tell. Where the events are a share only, no node is missed.
        ``refused`` are flows that had no room, of ``taken`` that came to this very partition: it
        alone misses them, whatever the others saw.
        """
        away = {bare_node(name) for name in unavailable}
        received = sum(events.values())
        lost_share = lost / (lost + received) if lost else 0.0
        if refused:
            lost_share = 1 - (1 - lost_share) * (1 - min(1.0, refused / max(1, taken)))
        usual = sum(habit.usual for habit in self.nodes.values())
        silent = sorted(
            name
            for name, habit in self.nodes.items()
            if not is_share
            and not events.get(name)
            and habit.windows > 1
            and (habit.usual >= SILENT_AFTER_EVENTS or bare_node(name) in away)
        )
        missed = sum(self.nodes[name].usual for name in silent)
        silent_share = missed / usual if usual else 0.0
        share = (1 - lost_share) * (1 - silent_share) * (1 - gap_share)
        return Completeness(share, lost + refused, lost_share, silent, silent_share, gap_share)

    def learn(self, events: Mapping[str, int]) -> None:
        """Take a window's events per node into what is usual."""
        for name, count in events.items():
            habit = self.nodes.setdefault(name, NodeHabit())
            habit.windows += 1
            habit.silent_windows = 0
            habit.usual += max(_RATE, 1 / habit.windows) * (count - habit.usual)
        for name in [name for name in self.nodes if not events.get(name)]:
            habit = self.nodes[name]
            habit.silent_windows += 1
            if habit.silent_windows >= FORGET_AFTER_WINDOWS:
                del self.nodes[name]


def bare_node(node: str) -> str:
    """Give a node's name without its cluster, which flows and node states may spell differently."""
    return node.rpartition("/")[2]
