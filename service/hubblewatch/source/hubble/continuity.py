"""What one stream owes: every flow once, every loss and gap in its place. No I/O, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hubblewatch.flow.schema import Line, LostEvents, NodeStatus
from hubblewatch.flow.timestamp import TimestampError, parse_ns
from hubblewatch.source.hubble.counts import NodeState, SourceCounts
from hubblewatch.source.hubble.loss import format_ns, lines_of_loss
from hubblewatch.source.hubble.node import SPELL_NS, Node
from hubblewatch.source.hubble.remembered import Remembered, flow_key, loss_key
from hubblewatch.window.completeness import STREAM_GAP

MAX_NODES = 10_000
"""Nodes followed one by one; flows of further ones are handed on without that."""

_STATES = {
    "NODE_CONNECTED": NodeState.CONNECTED,
    "NODE_UNAVAILABLE": NodeState.UNAVAILABLE,
    "NODE_GONE": NodeState.GONE,
    "NODE_ERROR": NodeState.ERROR,
}
_FAR = 1 << 63
_RING = ("HUBBLE_RING_BUFFER",)


class Continuity:
    """Follows the nodes of one source over all its breaks.

    ``take`` gives the lines to hand on: without those received before, with losses told where they
    belong and the nodes' states told when they change.
    """

    def __init__(self, counts: SourceCounts, remembered: Remembered | None = None) -> None:
        self.nodes: dict[str, Node] = {}
        self.newest_ns = 0
        """Newest event time of all nodes."""
        self._counts = counts
        self._remembered = Remembered() if remembered is None else remembered
        self._owed: list[int] = []
        self._untold: tuple[str, int, int, int] | None = None

    def take(self, lines: Sequence[Line], times_ns: Sequence[int], now_ns: int) -> list[Line]:
        """Take what was received, with event times in nanoseconds, in order, at ``now_ns``."""
        taken: list[Line] = []
        counts = self._counts
        remembered = self._remembered
        nodes = self.nodes
        horizon = remembered.horizon_ns
        handed = duplicates = stale = 0
        latest = self.newest_ns
        for line, time in zip(lines, times_ns, strict=True):
            flow = line.flow
            if flow is None:
                self._control(line, time, taken)
                continue
            if self._untold is not None:
                self._tell_loss(taken)
            name = flow.node_name or line.node_name
            node = nodes.get(name)
            if node is None:
                node = self._meet(name)
            node.flows += 1
            node.heard_ns = now_ns
            key = flow_key(flow, name)
            if key in remembered:
                duplicates += 1
                node.unproven = False
                continue
            newest = node.newest_ns
            if newest > now_ns >= time:
                # Else nothing would be missed until the time that its clock was ahead to.
                node.set_back(time)
                newest = time
            if time > newest:
                if node.unproven:
                    self._gap(name, node, time, taken)
                if time >= node.jumps.until_ns:
                    node.jumps.turn(time)
                if newest and time - newest > node.jumps.floor_ns:
                    node.jumps.note(newest, time)
                node.newest_ns = time
                latest = max(latest, time)
                if time >= node.spell_ns + SPELL_NS:
                    node.begin_spell(time)
            elif time <= horizon:
                stale += 1
                node.unproven = False
                continue
            if node.state is not NodeState.CONNECTED:
                self._tell(name, node, NodeState.CONNECTED, "flows came again", now_ns, taken)
            node.unproven = False
            node.spell_flows += 1
            remembered.add(key)
            handed += 1
            taken.append(line)
        if self._untold is not None:
            self._tell_loss(taken)
        # A clock that is ahead shall not move the place to resume from into the future.
        latest = min(latest, now_ns)
        if latest > self.newest_ns:
            self.newest_ns = counts.newest_event_ns = latest
            remembered.advance(latest)
        counts.flows += handed
        counts.duplicates += duplicates + stale
        counts.stale += stale
        return taken

    def expect(self, rates: Mapping[str, float], since_ns: int, until_ns: int) -> None:
        """Flows are asked for from ``since_ns``, of nodes with so many flows a second.

        A flow of up to ``until_ns`` proves of its node that all since is there; else a gap is told.
        """
        self.newest_ns = since_ns
        for name, rate in rates.items():
            node = self._meet(name)
            node.newest_ns = node.spell_ns = until_ns
            node.rate = rate
            node.unproven = True

    def resume(self, overlap_ns: int, earliest_ns: int) -> int:
        """Give the event time to ask from, ``earliest_ns`` at least, and look for gaps from there.

        It is before the newest flow of each node that is in trouble, and of all together; a node
        that is well and quiet has nothing to make up for, nor has one that is gone. A node whose
        quiet is not its habit may be in trouble that no check has noticed yet.
        """
        known = [self.newest_ns, *self._owed]
        known += [
            node.newest_ns
            for node in self.nodes.values()
            if node.newest_ns
            and (
                node.state not in (NodeState.CONNECTED, NodeState.GONE)
                or node.is_newly_silent(self.newest_ns)
            )
        ]
        self._owed.clear()
        since = max(min(known) - overlap_ns, earliest_ns)
        for node in self.nodes.values():
            node.unproven = node.unproven or node.newest_ns >= since
        return since

    def owe(self, names: Iterable[str], else_ns: int) -> None:
        """The next stream must bring what these nodes said since; if unheard, from ``else_ns``."""
        for name in names:
            node = self.nodes.get(name)
            self._owed.append(node.newest_ns if node is not None and node.newest_ns else else_ns)

    def lose_sight(self, names: Mapping[str, str], state: NodeState, now_ns: int) -> list[Line]:
        """Nodes are known to be in trouble, each with why; give the lines that tell it."""
        told: list[Line] = []
        for name, why in names.items():
            node = self.nodes.get(name)
            if node is None:
                node = self._meet(name)
            if node.state is not state:
                self._tell(name, node, state, why, now_ns, told)
        return told

    def regain(self, name: str, now_ns: int) -> list[Line]:
        """A node is well, though it may have nothing to say; give the line that tells it."""
        told: list[Line] = []
        node = self.nodes.get(name)
        if node is not None and node.state is not NodeState.CONNECTED:
            self._tell(name, node, NodeState.CONNECTED, "the node is well again", now_ns, told)
        return told

    def _meet(self, name: str) -> Node:
        node = Node()
        if len(self.nodes) >= MAX_NODES:
            for known in [
                known for known, other in self.nodes.items() if other.state is NodeState.GONE
            ]:
                del self.nodes[known]
        if len(self.nodes) < MAX_NODES:
            self.nodes[name] = node
            self._count_states()
        return node

    def _control(self, line: Line, time: int, taken: list[Line]) -> None:
        if line.lost_events is not None:
            self._lose(line, line.lost_events, time, taken)
        elif line.node_status is not None:
            state = _STATES.get(str(line.node_status.state_change))
            for name in line.node_status.node_names if state is not None else ():
                node = self.nodes.get(name) or self._meet(name)
                assert state is not None
                node.state = state
                if state is not NodeState.CONNECTED:
                    node.unproven = bool(node.newest_ns)
            self._count_states()
            taken.append(line)

    def _lose(self, line: Line, lost: LostEvents, time: int, taken: list[Line]) -> None:
        count = int(lost.num_events_lost)
        node = self.nodes.get(line.node_name)
        if lost.source in _RING:
            self._counts.lost[str(lost.source)] += count
            if node is None:
                taken.append(line)
            elif lost.last:
                found = node.jumps.take_largest(_noticed_ns(lost))
                if found is None:
                    taken.append(line)
                else:
                    taken += lines_of_loss(line.node_name, lost.source, count, *found)
            else:
                self._lose_one(line.node_name, node, count, time, taken)
            return
        key = loss_key(line, lost)
        is_passed = node is not None and time <= node.newest_ns
        if key in self._remembered or (is_passed and time <= self._remembered.horizon_ns):
            self._counts.duplicates += 1
            return
        self._remembered.add(key)
        self._counts.lost[str(lost.source)] += count
        taken.append(line)

    def _lose_one(
        self, node_name: str, node: Node, count: int, time: int, taken: list[Line]
    ) -> None:
        """Before 1.20 every lost flow is reported, where it is missing, by a message of its own."""
        untold = self._untold
        if untold is not None and untold[0] != node_name:
            self._tell_loss(taken)
            untold = None
        begin = node.newest_ns or time
        self._untold = (node_name, count + (untold[1] if untold else 0), begin, max(time, begin))

    def _tell_loss(self, taken: list[Line]) -> None:
        assert self._untold is not None
        node_name, count, begin, end = self._untold
        self._untold = None
        taken += lines_of_loss(node_name, _RING[0], count, begin, end)

    def _gap(self, name: str, node: Node, time: int, taken: list[Line]) -> None:
        """The flows up to ``time`` did not come again, and the one at ``time`` is new."""
        seconds = (time - node.newest_ns) / 1e9
        expected = node.usual_rate * seconds
        if seconds < 1 and expected < 1:
            return  # one follows the other as ever: it was slow, not away
        count = max(1, round(expected))
        self._counts.gaps += 1
        self._counts.lost[STREAM_GAP] += count
        taken += lines_of_loss(name, STREAM_GAP, count, node.newest_ns, time)

    def _tell(
        self, name: str, node: Node, state: NodeState, why: str, now_ns: int, told: list[Line]
    ) -> None:
        node.state = state
        if state is not NodeState.CONNECTED:
            node.unproven = bool(node.newest_ns)
        self._count_states()
        change = {
            NodeState.CONNECTED: "NODE_CONNECTED",
            NodeState.GONE: "NODE_GONE",
            NodeState.ERROR: "NODE_ERROR",
        }.get(state, "NODE_UNAVAILABLE")
        told.append(
            Line(
                node_status=NodeStatus(change, [name], why),
                node_name=name,
                time=format_ns(now_ns),
            )
        )

    def _count_states(self) -> None:
        states = Counter(node.state.value for node in self.nodes.values())
        self._counts.nodes = {state.value: states[state.value] for state in NodeState}


def _noticed_ns(lost: LostEvents) -> int:
    try:
        return parse_ns(lost.last)
    except TimestampError:
        return _FAR
