"""What the events of one connection say together: who opened it, and how it went.

Each event adds bits; the bits of all events are joined by OR, so neither order nor repetition
matters. A connection's table key has its two ends in a fixed order (lower port first); bits of
events that travel from the key's second end to its first are shifted by ``BACK``.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

SYN = 1 << 0
"""A TCP SYN without ACK: the sender opens. Nothing is stronger."""
SYN_ACK = 1 << 1
REQUEST = 1 << 2
"""Cilium says: not a reply (sometimes wrong for UDP)."""
REPLY = 1 << 3
DECIDED = 1 << 4
"""A policy verdict or an L7 request: made for the first packet, by the opener."""
ANSWER = 1 << 5
"""An L7 response."""
LEFT = 1 << 6
"""It went out to another node."""
DENIED = 1 << 7
AUDITED = 1 << 8
DROPPED = 1 << 9
RESET = 1 << 10
TALK = 1 << 11
"""A packet that is neither a SYN nor a RST."""
PROXIED = 1 << 12
DELIVERED = 1 << 13
"""Seen at the endpoint it goes to (or comes from): the other vantage point."""
EVENT = 1 << 14
"""Any event at all."""
TRACED_SYN = 1 << 15
"""A SYN that went through, as opposed to one that only a verdict tells of."""

PARTY = 1 << 16
"""Any event of a connection whose parties may still be seen more clearly."""

BACK = 17
_FORTH_MASK = (1 << BACK) - 1
REPLY_FLAGS = (REQUEST | REPLY) | (REQUEST | REPLY) << BACK

WELL_KNOWN = 1_024
EPHEMERAL = 32_768
"""The first port that Linux gives to clients (``net.ipv4.ip_local_port_range``)."""


class Outcome(IntEnum):
    """How an attempt ended, as far as its window knew."""

    ALLOWED = 0
    DENIED = 1
    AUDITED = 2
    DROPPED = 3
    FAILED = 4


class Direction(IntEnum):
    """Which end of the key opened the connection."""

    FORTH = 0
    """The first end (the lower port) opened it."""
    BACK = 1
    UNCLEAR = 2
    """Flags and event types leave it open; the ports decide."""


@lru_cache(maxsize=65_536)
def direction(evidence: int) -> Direction:
    """Judge who opened a connection by SYN, then reply flags, then event types."""
    forth, back = evidence & _FORTH_MASK, evidence >> BACK
    for ours, theirs in ((SYN, SYN_ACK), (0, REPLY), (DECIDED, ANSWER), (REQUEST, 0)):
        opened_forth = bool(forth & ours or back & theirs)
        opened_back = bool(back & ours or forth & theirs)
        if opened_forth != opened_back:
            return Direction.FORTH if opened_forth else Direction.BACK
    return Direction.UNCLEAR


@lru_cache(maxsize=65_536)
def is_certain(evidence: int) -> bool:
    """Tell whether more than a bare "not a reply" flag supports the direction."""
    both = (evidence & _FORTH_MASK) | (evidence >> BACK)
    return bool(both & (SYN | SYN_ACK | REPLY | DECIDED | ANSWER))


def direction_by_ports(low: int, high: int) -> Direction:
    """Judge by the ports alone: a client's is ephemeral, a server's is not, or is well known.

    Two that are ephemeral tell nothing: servers have such ports, too, and clients lower ones.
    ``low`` is the first end's port, never above ``high``. Equal ports (say, NTP or a peer-to-peer
    protocol) give the first end, and so does a port of 0: one that a field mask left out, which
    nobody does with a server's.
    """
    if low == 0:
        return Direction.FORTH
    if low < high and (low < WELL_KNOWN or low < EPHEMERAL <= high):
        return Direction.BACK
    return Direction.UNCLEAR if low < high else Direction.FORTH


@lru_cache(maxsize=65_536)
def outcome(evidence: int, opened: Direction) -> Outcome:
    """Judge how the attempt went.

    A denial stands even if something answered (an L7 denial is answered with 403). A drop for
    another reason does not when the connection worked all the same. Failed means that the
    responder's only answer was a reset, or that a SYN went out and nothing came back or followed
    (``is_silence``); where only verdicts were recorded nothing is known to have failed.
    """
    forth, back = evidence & _FORTH_MASK, evidence >> BACK
    asked, answered = (back, forth) if opened is Direction.BACK else (forth, back)
    both = asked | answered
    if both & DENIED:
        return Outcome.DENIED
    worked = bool(answered & (TALK | SYN_ACK | ANSWER))
    if both & DROPPED and not worked:
        return Outcome.DROPPED
    if both & AUDITED:
        return Outcome.AUDITED
    if answered & RESET and not worked:
        return Outcome.FAILED
    if asked & TRACED_SYN and not answered & EVENT and not asked & (TALK | PROXIED):
        return Outcome.FAILED
    return Outcome.ALLOWED


@lru_cache(maxsize=65_536)
def is_silence(evidence: int, opened: Direction) -> bool:
    """Tell whether the responder never showed itself, not even by a reset."""
    answered = evidence & _FORTH_MASK if opened is Direction.BACK else evidence >> BACK
    return not answered & EVENT


@lru_cache(maxsize=65_536)
def is_under_way(evidence: int) -> bool:
    """Tell whether all that was seen of a TCP connection lies in its midst or at its end.

    Such a connection did not begin where it was first seen: it was silent for longer than it is
    remembered, or the events of its begin were lost.
    """
    both = (evidence | evidence >> BACK) & _FORTH_MASK
    begins = SYN | SYN_ACK | DECIDED | DENIED | AUDITED | DROPPED
    return bool(both & (TALK | RESET)) and not both & begins


def outcome_of_event(bits: int) -> Outcome:
    """Judge by the bits of a single event: what it says was done with the packet."""
    both = (bits & _FORTH_MASK) | (bits >> BACK)
    if both & DENIED:
        return Outcome.DENIED
    if both & DROPPED:
        return Outcome.DROPPED
    return Outcome.AUDITED if both & AUDITED else Outcome.ALLOWED
