"""What happens in the cluster, before anybody observes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from hubblewatch.simulate.peers import Peer


class Protocol(Enum):
    """Layer 4 protocols; the value is Hubble's name in `l4`."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"
    ICMP = "ICMPv4"


class Outcome(Enum):
    """How an attempt ends; the value is the counter of the window."""

    ALLOWED = "allowed"
    DENIED = "denied"
    AUDITED = "audited"
    DROPPED = "dropped"
    FAILED = "failed"


class Course(Enum):
    """How the packets of a connection go, which decides the events that show it."""

    NORMAL = "normal"
    ABORTED = "aborted"
    """Established and used, then ended with RST by the initiator: allowed all the same."""
    REFUSED = "refused"
    """The responder answers SYN with RST."""
    UNANSWERED = "unanswered"
    """Nobody answers; SYN is sent again after 1, 3, 7, 15 and 31 s."""
    ONE_WAY = "one-way"
    """UDP without any reply."""
    DENIED_EGRESS = "denied-egress"
    DENIED_INGRESS = "denied-ingress"
    DENIED_L7 = "denied-l7"
    """Redirected to the proxy, which answers 403."""
    AUDITED = "audited"
    DROPPED = "dropped"
    """Dropped at the source node for another reason than policy."""


_OUTCOMES = {
    Course.NORMAL: Outcome.ALLOWED,
    Course.ABORTED: Outcome.ALLOWED,
    Course.ONE_WAY: Outcome.ALLOWED,
    Course.REFUSED: Outcome.FAILED,
    Course.UNANSWERED: Outcome.FAILED,
    Course.DENIED_EGRESS: Outcome.DENIED,
    Course.DENIED_INGRESS: Outcome.DENIED,
    Course.DENIED_L7: Outcome.DENIED,
    Course.AUDITED: Outcome.AUDITED,
    Course.DROPPED: Outcome.DROPPED,
}


@dataclass(slots=True, frozen=True)
class HttpExchange:
    """A request that the proxy saw, and its answer."""

    method: str
    url: str
    code: int


@dataclass(slots=True, frozen=True)
class DnsQuestion:
    """A name asked for A and AAAA over one socket; `rcode` 3 is NXDOMAIN."""

    query: str
    rcode: int
    address: str


@dataclass(slots=True)
class Connection:
    """One connection, in time order of `start_ns`.

    `number` seeds its rendering. `proxied` connections go through the node's L7 proxy at the
    source. `deny_policy` names the rule that denies (POLICY_DENY 181); empty means that nothing
    allowed it (POLICY_DENIED 133). `counted` is False for probes, which are no attempts.
    `exchanges` are request and reply rounds, `lifetime_ns` the time from first to last packet.
    """

    number: int
    start_ns: int
    source: Peer
    destination: Peer
    protocol: Protocol
    source_port: int
    destination_port: int
    course: Course = Course.NORMAL
    lifetime_ns: int = 20_000_000
    exchanges: int = 1
    proxied: bool = False
    http: HttpExchange | None = None
    dns: DnsQuestion | None = None
    deny_policy: str = ""
    drop_reason: int = 0
    service: tuple[str, str, str] | None = None
    socket_traced: bool = False
    counted: bool = True
    names: tuple[str, ...] = field(default=())

    @property
    def to_the_dead(self) -> bool:
        """Whether the responder had ended before: its packets reach nobody."""
        return self.destination.stopped_ns <= self.start_ns

    @property
    def outcome(self) -> Outcome:
        """What the attempt counts as."""
        return _OUTCOMES[self.course]
