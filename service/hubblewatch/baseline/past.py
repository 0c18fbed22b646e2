"""What is remembered of a subject, of a namespace and of the stream between windows.

All of it is msgspec Structs, so that it can be written to the state topic and read back as it was,
and every collection is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from hubblewatch.baseline.estimate import BaselineState, Estimate, state_after
from hubblewatch.baseline.week import Hour
from hubblewatch.window.closed import ContactKey
from hubblewatch.window.completeness import NodeWatch

RECENT_WINDOWS = 10
MAX_EDGES = 512
MAX_NAMESPACES = 512
MAX_TRIALS = 4_096
TRIAL_WINDOWS = 5
"""Unsuccessful contacts are remembered for so many windows: what a scan is judged by."""

STRANGER_WINDOWS = 60
"""An edge that never once succeeded is strange for an hour; then it is a standing defect."""


class Span(Struct):
    """First, second (-1 if none) and last window number in which something was seen.

    ``answered`` tells whether any attempt succeeded.
    """

    first: int
    last: int
    second: int = -1
    answered: bool = True

    def seen_once_before(self, number: int) -> bool:
        """Tell whether it had been seen in exactly one window before that one."""
        return self.first < number and not -1 < self.second < number


class Trial(Struct, array_like=True):
    """An unsuccessful contact: window number of the last one.

    ``stranger`` says that the subject never had a success along that edge.
    """

    last: int
    stranger: bool


class Recent(Struct, array_like=True):
    """The counts of one recent window of a subject; a window without attempts has none."""

    number: int
    attempts: int
    connections: int
    """Attempts without the look-ups that go with them."""
    denied: int
    failed: int
    """Failed or dropped for a reason other than policy."""
    udp: int
    """UDP attempts that name resolution does not explain."""
    seen_whole: bool
    """The stream was complete and no node was silent."""


class SubjectMemory(Struct):
    """One subject's past.

    ``tried`` holds the unsuccessful contacts of the last windows, keyed by ``trial_key``;
    ``namespaces`` and ``edges`` (keyed by the edge's text) whom it talked to, with success or
    without. ``slots`` are for what a detector keeps of its own, by detector id: numbers only, and
    the detector bounds them.
    """

    first: int = -1
    last: int = -1
    windows: int = 0
    complete_before: int | None = None
    """Complete closings of the stream before its first window, and up to its last one."""
    complete_through: int = 0
    served: int = 0
    """For how many windows others had been served by the workload before it first opened anything
    itself; 0 where that was not long, and for those that are served."""

    estimates: dict[str, Estimate] = field(default_factory=dict)
    namespaces: dict[str, Span] = field(default_factory=dict)
    edges: dict[str, Span] = field(default_factory=dict)
    recent: list[Recent] = field(default_factory=list)
    tried: dict[str, Trial] = field(default_factory=dict)
    hour: Hour | None = None
    slots: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def estimate(self, feature: str) -> Estimate:
        """Give the estimate of a feature; an empty one if nothing was learned yet."""
        return self.estimates.get(feature) or Estimate()

    def recent_since(self, number: int) -> list[Recent]:
        """Give the recent windows from ``number`` on, oldest first."""
        return [recent for recent in self.recent if recent.number >= number]

    @property
    def state(self) -> BaselineState:
        """How far this subject's baseline can be trusted."""
        return state_after(self.windows)

    @property
    def looked_at(self) -> int:
        """In how many complete windows from its first to its last one it could have been seen.

        Not those in which nobody looked, or not everything was seen.
        """
        if self.complete_before is None:
            return self.last - self.first + 1
        return self.complete_through - self.complete_before


class NamespaceRecent(Struct, array_like=True):
    """A recent window of a namespace: attempts of its subjects, and the UDP ones among them."""

    number: int
    attempts: int
    connections: int
    udp: int
    unexplained: int


class NamespaceMemory(Struct):
    """A namespace's past.

    ``udp_share`` follows the per cent of UDP among its attempts without the look-ups that go with
    connections, ``udp`` the number of those UDP attempts.
    """

    first: int = -1
    last: int = -1
    windows: int = 0
    udp_share: Estimate = field(default_factory=Estimate)
    udp: Estimate = field(default_factory=Estimate)
    recent: list[NamespaceRecent] = field(default_factory=list)


class StreamRecent(Struct, array_like=True):
    """How well a recent window was seen: ``kept`` is what neither loss nor gap took, 0..1.

    ``node_loss`` is the lost share of each node that lost anything.
    """

    number: int
    kept: float
    lost: int
    gap: float
    silent_nodes: int
    silent_share: float
    node_loss: dict[str, float]


class StreamMemory(Struct):
    """The stream's own past."""

    first: int = -1
    closings: int = 0
    complete: int = 0
    """How many of them were."""
    nodes: NodeWatch = field(default_factory=NodeWatch)
    recent: list[StreamRecent] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)
    """Nodes that Relay last reported as not connected."""

    unavailable_since: dict[str, int] = field(default_factory=dict)
    """Number of the window in which that was told; absent in states from before it was kept."""


def trial_key(contact: ContactKey) -> str:
    """Give the key under which an unsuccessful contact is remembered; ``split_trial`` undoes it."""
    return f"{contact.protocol}|{contact.port}|{contact.address}"


def split_trial(key: str) -> ContactKey:
    """Give the contact of a key."""
    protocol, port, address = key.split("|", 2)
    return ContactKey(address, int(port), protocol)


def remember(
    spans: dict[str, Span], names: Iterable[tuple[str, bool]], number: int, bound: int
) -> tuple[list[str], list[str]]:
    """Note what was seen in a window; what was not seen for the longest makes room.

    Gives the names that came and those that made room.

    ``names`` are names and whether an attempt succeeded; their order decides who makes room among
    equals, so it must not depend on chance. The dict is kept in the order of ``last``.
    """
    came, went = [], []
    # Those known first: what is new must not drive out what is seen in the same window.
    for name, answered in sorted(names, key=lambda one: one[0] not in spans):
        span = spans.pop(name, None)
        if span is None:
            if len(spans) >= bound:
                oldest = next(iter(spans))
                del spans[oldest]
                went.append(oldest)
            spans[name] = Span(number, number, answered=answered)
            came.append(name)
            continue
        span.last = number
        span.answered = span.answered or answered
        if span.second < 0:
            span.second = number
        spans[name] = span
    if went:
        # More than fit in one window: some came and went.
        return [n for n in came if n in spans], [n for n in went if n not in spans]
    return came, went
