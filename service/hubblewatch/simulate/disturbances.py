"""What can happen to a line on its way from the node to the recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hubblewatch.simulate.clock import MINUTE, SECOND
from hubblewatch.simulate.events.control import lost_events, node_status
from hubblewatch.simulate.events.line import Event


class Disturbance:
    """Something on the way that holds lines back, repeats or loses them."""

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        """When the event arrives, perhaps never, perhaps more than once."""
        raise NotImplementedError

    def notices(self, until_ns: int) -> list[Event]:
        """Control lines that are due before `until_ns`, each given once."""
        return []

    def silences(self, time_ns: int) -> bool:
        """Whether the exporter itself is away, so that it sends no heartbeat."""
        return False


@dataclass
class Shuffle(Disturbance):
    """Each line arrives up to `bound_ns` late, uniformly."""

    bound_ns: int
    rng: Random

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        return [(arrival_ns + int(self.rng.random() * self.bound_ns), event)]


@dataclass
class Repeated(Disturbance):
    """A share of the lines between two times comes twice, up to `within_ns` apart."""

    start_ns: int
    end_ns: int
    share: float
    rng: Random
    within_ns: int = 5 * SECOND

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        if not self.start_ns <= event[0] < self.end_ns or self.rng.random() >= self.share:
            return [(arrival_ns, event)]
        again_ns = arrival_ns + int(self.rng.random() * self.within_ns)
        return [(arrival_ns, event), (again_ns, event)]


@dataclass
class Late(Disturbance):
    """A share of the lines between two times arrives one to four minutes late."""

    start_ns: int
    end_ns: int
    share: float
    rng: Random

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        if self.start_ns <= event[0] < self.end_ns and self.rng.random() < self.share:
            arrival_ns += int((1 + 3 * self.rng.random()) * MINUTE)
        return [(arrival_ns, event)]


@dataclass
class RingLoss(Disturbance):
    """Nodes (index to name) lose a share of each second's events, all of one stretch of it."""

    start_ns: int
    end_ns: int
    share: float
    nodes: dict[int, str]
    rng: Random
    _second: int = -1
    _stretch_ns: int = 0
    _lost: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        time_ns, node, _ = event
        if node not in self.nodes or not self.start_ns <= time_ns < self.end_ns:
            return [(arrival_ns, event)]
        second = time_ns // SECOND
        if second != self._second:
            self._second = second
            self._stretch_ns = int(self.rng.random() * SECOND)
        if (time_ns - self._stretch_ns) % SECOND >= self.share * SECOND:
            return [(arrival_ns, event)]
        loss = self._lost.setdefault((second, node), [0, time_ns, time_ns])
        loss[0] += 1
        loss[2] = time_ns
        return []

    def notices(self, until_ns: int) -> list[Event]:
        told = []
        for second, node in sorted(self._lost):
            at_ns = (second + 1) * SECOND
            if at_ns > until_ns:
                break
            count, first_ns, last_ns = self._lost.pop((second, node))
            line = lost_events(
                "PERF_EVENT_RING_BUFFER",
                count,
                self.nodes[node],
                at_ns,
                second % 4,
                first_ns,
                last_ns,
            )
            told.append((at_ns, node, line))
        return told


@dataclass
class SilentNode(Disturbance):
    """A node reports nothing from `start_ns` on; Relay says so 10 s later."""

    node: int
    name: str
    start_ns: int
    told: bool = False

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        if event[1] == self.node and event[0] >= self.start_ns:
            return []
        return [(arrival_ns, event)]

    def notices(self, until_ns: int) -> list[Event]:
        at_ns = self.start_ns + 10 * SECOND
        if self.told or at_ns > until_ns:
            return []
        self.told = True
        message = "rpc error: code = Unavailable desc = connection error"
        return [(at_ns, -1, node_status("NODE_ERROR", [self.name], at_ns, message))]


@dataclass
class Restart(Disturbance):
    """Nothing arrives between two times; then all of it does, with an overlap before the gap."""

    start_ns: int
    end_ns: int
    overlap_ns: int

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        since_ns = self.start_ns - self.overlap_ns
        if not since_ns <= event[0] < self.end_ns:
            return [(arrival_ns, event)]
        # The server replays its ring far faster than it was filled.
        replayed_ns = self.end_ns + (event[0] - since_ns) // 100
        if event[0] < self.start_ns:
            return [(arrival_ns, event), (replayed_ns, event)]
        return [(replayed_ns, event)]

    def silences(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns <= self.end_ns + SECOND
