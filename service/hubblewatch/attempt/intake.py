"""What arrived for one window that is still open, and what arrived in all."""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct, field

from hubblewatch.attempt.connection import Connection, Key

CONNECTION_TABLE = "connection-table"
"""What arrived and would have begun a connection, had there been room for another one."""

LOOKUPS = "look-ups"
"""DNS messages beyond the bound of a window; of their connections they are counted."""


class Lookup(Struct, gc=False):
    """One DNS message: a query of ``connection``'s opener, or an answer with its code."""

    connection: Connection
    name: str
    rcode: int
    is_answer: bool


WeightKey = tuple[Key, int, str, str, int]

AnswerKey = tuple[int, str, str, int]
"""Protocol, responder's address, client's address and port: all but the responder's port."""

NodeState = tuple[int, bool, str]
"""When (epoch nanoseconds) Relay told a node to be connected or not, and the node's name."""


class Intake:
    """The open window ``number`` (epoch seconds divided by the window's size).

    ``connections`` are those that began here, as far as known: one may have moved to an earlier
    window since. ``lookups`` and ``weights`` are keyed so that a repeated line changes nothing;
    a weight (connection, evidence, flows) is keyed by connection key, protocol, node, time and
    event type. ``translated`` joins the evidence of answers that carry a service's port, in the
    direction from the responder to the client. ``nodes`` counts events, and ``proxied`` holds the
    responders (address, port) reached through the L7 proxy, by which the proxy's own leg is told
    from a new client on the node. ``deadline`` is where its connections stop to learn, one object
    for all of them.

    ``room`` is how many more connections, answers and weights may begin here, ``refused`` how many
    flows found none. All else is bounded by what is held: ``nodes`` by the nodes of the cluster,
    ``proxied`` by the ends of connections, and the rest each by a bound where it is filled.
    """

    __slots__ = (
        "answers",
        "connections",
        "deadline",
        "losses",
        "lookups",
        "nodes",
        "number",
        "proxied",
        "refused",
        "room",
        "states",
        "translated",
        "weights",
    )

    def __init__(self, number: int, deadline: int = 0, room: int = 0) -> None:
        self.number = number
        self.deadline = deadline
        self.room = room
        self.refused = 0
        self.answers = False
        """Whether any flow was a reply."""
        self.connections: list[Connection] = []
        self.lookups: dict[tuple[str, str, str, bool], Lookup] = {}
        self.weights: dict[WeightKey, tuple[Connection, int, int]] = {}
        self.nodes: defaultdict[str, int] = defaultdict(int)
        self.translated: dict[AnswerKey, int] = {}
        self.proxied: set[tuple[str, int]] = set()
        self.losses: dict[tuple[str, str, str], int] = {}
        self.states: set[NodeState] = set()

    @property
    def places(self) -> int:
        """Places of the table that are taken."""
        return len(self.connections) + len(self.translated) + len(self.weights)


class Counts(Struct):
    """Totals since the start, for metrics and the summary; nothing here feeds a detector."""

    flows: int = 0
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    protocols: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    uncounted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Flows that are no part of an attempt (socket, no-address, other-protocol), and those that
    there was no room for (CONNECTION_TABLE, LOOKUPS), by reason."""
    late: int = 0
    rejects: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
