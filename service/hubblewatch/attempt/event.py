"""What a single event says: its bits of evidence."""

from __future__ import annotations

from hubblewatch.attempt import evidence as e
from hubblewatch.flow.schema import ICMP as ICMPHeader
from hubblewatch.flow.schema import Flow

DROP, TRACE, VERDICT, SOCKET, L7 = 1, 4, 5, 7, 129

POLICY_DROP_REASONS = frozenset({133, 181, 189})
POLICY_DROP_NAMES = POLICY_DROP_REASONS | {"POLICY_DENIED", "POLICY_DENY", "AUTH_REQUIRED"}
"""Names, and the numbers that a writer without the name puts in their place."""

ECHO_REQUESTS = frozenset({8, 128})
ECHO_REPLIES = frozenset({0, 129})
ICMP_ERRORS = {4: frozenset({3, 4, 5, 11, 12}), 6: frozenset({1, 2, 3, 4})}

ANSWER_TYPES = frozenset({"RESPONSE", 2})
"""Types of an L7 flow that is an answer: name, and number of a writer without names."""

EVENT = e.EVENT | e.PARTY
"""What every event of a connection says."""

_SOCKET_VERDICTS = frozenset({"TRACED", "TRANSLATED"})
_VERDICT_NAMES = {
    1: "FORWARDED",
    2: "DROPPED",
    3: "ERROR",
    4: "AUDIT",
    5: "REDIRECTED",
    6: "TRACED",
    7: "TRANSLATED",
}
_KNOWN_VERDICTS = frozenset({*_VERDICT_NAMES.values(), "VERDICT_UNKNOWN"})
_POINT_BITS: dict[str | int, int] = {
    "TO_ENDPOINT": e.DELIVERED,
    101: e.DELIVERED,
    "TO_PROXY": e.PROXIED,
    1: e.PROXIED,
    "TO_OVERLAY": e.LEFT,
    4: e.LEFT,
    "TO_NETWORK": e.LEFT,
    11: e.LEFT,
}
_NO_POINT = frozenset({"", 0, "UNKNOWN_POINT"})


def icmp_bits(message: ICMPHeader, version: int) -> tuple[int, int, int]:
    """Evidence of an ICMP message, and numbers in the place of its ends' ports.

    They keep apart two that ping each other, and pings and errors.
    """
    if message.type in ECHO_REQUESTS:
        return EVENT | e.DECIDED, 0, 1
    if message.type in ECHO_REPLIES:
        return EVENT | e.ANSWER, 1, 0
    if message.type in ICMP_ERRORS[version]:
        # Sent to the opener of what failed, which is therefore the subject.
        return EVENT | e.ANSWER | e.RESET, 3, 2
    number = 4 + message.type
    return EVENT | e.DECIDED, number, number


def other_bits(flow: Flow, kind: int) -> int:
    """Evidence of anything but a plain forwarded trace; negative for what is no packet's event."""
    verdict = flow.verdict
    if not isinstance(verdict, str):
        verdict = _VERDICT_NAMES.get(verdict, "")
    if not kind:
        kind = _likely_kind(flow)
    if kind == SOCKET or verdict in _SOCKET_VERDICTS:
        return -1
    if kind == L7:
        is_answer = flow.is_reply if flow.l7 is None else flow.l7.type in ANSWER_TYPES
        bits = e.TALK | (e.REPLY | e.ANSWER if is_answer else e.REQUEST | e.DECIDED)
        if verdict == "DROPPED":
            bits |= e.DENIED
        return bits
    if verdict == "DROPPED":
        # A denied verdict names its policies; a drop names its reason; a field mask may leave
        # only the description.
        denied = (
            kind == VERDICT
            or flow.drop_reason in POLICY_DROP_REASONS
            or flow.drop_reason_desc in POLICY_DROP_NAMES
            or flow.egress_denied_by
            or flow.ingress_denied_by
        )
        return e.DENIED | _decided(flow) if denied else e.DROPPED
    if verdict == "AUDIT":
        return e.AUDITED | _decided(flow)
    if verdict == "ERROR":
        return e.DROPPED
    bits = 0
    if kind == VERDICT:
        bits = _decided(flow)
    elif kind == TRACE:
        bits = _POINT_BITS.get(flow.trace_observation_point, 0)
        if _is_syn(flow):
            bits |= e.TRACED_SYN
    if verdict == "REDIRECTED":
        bits |= e.PROXIED
    if flow.is_reply or (flow.is_reply is None and flow.reply):
        bits |= e.REPLY
    elif flow.is_reply is False:
        bits |= e.REQUEST
    return bits


def proxied_responder(flow: Flow) -> tuple[str, int] | None:
    """Give address and port to which an event shows the L7 proxy speaking; None if it does not."""
    addresses, layer4 = flow.IP, flow.l4
    if addresses is None or layer4 is None:
        return None
    header = layer4.TCP or layer4.UDP or layer4.SCTP
    if header is None:
        return None
    kind = flow.event_type.type if flow.event_type is not None else 0
    if kind == TRACE and flow.verdict == "FORWARDED":
        shown = _POINT_BITS.get(flow.trace_observation_point, 0)
    else:
        shown = max(other_bits(flow, kind), 0)
    return (addresses.destination, header.destination_port) if shown & e.PROXIED else None


def verdict_name(verdict: str | int) -> str:
    """Give the verdict's name, ``other`` for one that is not known: the names are a closed set."""
    if not isinstance(verdict, str):
        verdict = _VERDICT_NAMES.get(verdict, "")
    return verdict if verdict in _KNOWN_VERDICTS else "other"


def _decided(flow: Flow) -> int:
    """Evidence of a verdict: its packet opens the connection.

    Not so where Cilium has forgotten a connection and judges a packet from its midst, perhaps the
    server's: its ephemeral destination port would look like a scan.
    """
    if flow.is_reply:
        return e.REPLY
    segment = flow.l4.TCP if flow.l4 is not None else None
    flags = segment.flags if segment is not None else None
    return e.DECIDED if flags is None or (flags.SYN and not flags.ACK) else 0


def _likely_kind(flow: Flow) -> int:
    """The event type that a field mask left out, as far as other members tell."""
    if flow.l7 is not None:
        return L7
    if flow.drop_reason or flow.drop_reason_desc:
        return DROP
    return 0 if flow.trace_observation_point in _NO_POINT else TRACE


def _is_syn(flow: Flow) -> bool:
    segment = flow.l4.TCP if flow.l4 is not None else None
    flags = segment.flags if segment is not None else None
    return flags is not None and flags.SYN and not flags.ACK
