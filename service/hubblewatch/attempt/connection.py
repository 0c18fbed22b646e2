"""One connection as the events of both its nodes show it."""

from __future__ import annotations

from msgspec import Struct

from hubblewatch.attempt.peer import Peer
from hubblewatch.flow.schema import Policy

NEVER = -(1 << 62)
"""A begin that lies in no window: the connection turned out to have begun in a closed one."""

Key = tuple[str, int, str, int]
"""Address and port of both ends, the lower port first: both directions give the same key."""

PROTOCOLS = ("tcp", "udp", "sctp", "icmp")
TCP, UDP, SCTP, ICMP = range(4)


class Connection(Struct, gc=False):
    """Times are whole epoch seconds; ``low`` and ``high`` are the parties at the key's two ends.

    ``evidence`` joins the bits of all events before ``deadline``; ``early`` those before
    ``early_until`` (zero if it cannot matter), which would still count if the connection turned out
    to have begun one window earlier; ``settled`` are the bits that tell nothing new, which is what
    makes a repeated event cheap.
    """

    key: Key
    protocol: int
    first: int
    last: int
    deadline: int
    low: Peer
    high: Peer
    previous: int = NEVER
    evidence: int = 0
    early: int = 0
    early_until: int = 0
    settled: int = 0
    uuid: str = ""
    name: str = ""
    policies: list[Policy] | None = None
    weighted: bool = False
