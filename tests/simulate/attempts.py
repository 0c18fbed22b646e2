"""An independent count of attempts from the lines of a whole recording, by brute force.

It knows the simulator's lines, not its code: it groups all events by unordered five-tuple, decides
who opened and how it ended, and drops what is no attempt.
"""

from collections import Counter, defaultdict

from tests.simulate.recording import Flow, nanoseconds, tuple_of

Key = tuple[int, str, str, str]
MINUTE = 60_000_000_000


def _workload(name: str) -> str:
    """A pod name's workload, for the names that the simulator makes."""
    parts = name.split("-")
    if parts[-1].isdigit():
        return "-".join(parts[:-1])
    if len(parts) > 2 and parts[-2].isdigit() and len(parts[-2]) == 8:
        return "-".join(parts[:-2])
    letters = set("bcdfghjklmnpqrstvwxz2456789")
    if len(parts) > 2 and len(parts[-2]) in (9, 10) and set(parts[-2]) <= letters:
        return "-".join(parts[:-2])
    return "-".join(parts[:-1])


def _reversed(flow: Flow) -> bool:
    """Whether the event goes from responder to initiator."""
    if flow.get("is_reply") is not None:
        return bool(flow["is_reply"])
    flags = flow["l4"].get("TCP", {}).get("flags", {})
    if flags.get("SYN"):
        return bool(flags.get("ACK"))
    _, _, source_port, _, destination_port = tuple_of(flow)
    return source_port < destination_port


def _outcome(events: list[Flow]) -> str:
    def has(**wanted: object) -> bool:
        return any(all(event.get(k) == v for k, v in wanted.items()) for event in events)

    policy = [e for e in events if e.get("drop_reason_desc") in ("POLICY_DENIED", "POLICY_DENY")]
    l7_denied = [e for e in events if e["Type"] == "L7" and e["verdict"] == "DROPPED"]
    if policy or l7_denied:
        return "denied"
    if has(verdict="DROPPED"):
        return "dropped"
    if has(verdict="AUDIT"):
        return "audited"
    if "TCP" in events[0]["l4"]:
        # A node sees no answers to what it sends itself, but it sees that it goes on talking.
        accepted = [
            event
            for event in events
            if event["event_type"]["type"] != 5
            and not event["l4"]["TCP"].get("flags", {}).get("RST")
            and (_reversed(event) or not event["l4"]["TCP"].get("flags", {}).get("SYN"))
        ]
        if not accepted:
            return "failed"
    return "allowed"


def count_attempts(flows: list[Flow]) -> dict[Key, Counter[str]]:
    """Counters by window begin (minutes since 1970), namespace, workload, direction.

    ICMP counts under `icmp` alone. Peer namespaces are counted as `peer:NAME`, once a window.
    """
    groups: dict[tuple[str, tuple[tuple[str, int], ...]], list[Flow]] = defaultdict(list)
    for flow in flows:
        if flow["Type"] == "SOCK":
            continue
        protocol, source, sport, destination, dport = tuple_of(flow)
        ends = sorted([(source, sport), (destination, dport)])
        groups[(protocol, tuple(ends))].append(flow)
    routers = {
        flow["IP"]["source"]
        for flow in flows
        if flow["source"].get("identity") in (1, 6) and flow["IP"]["source"].startswith("10.")
    }
    counted: dict[Key, Counter[str]] = defaultdict(Counter)
    for (protocol, _), events in groups.items():
        forth = [event for event in events if not _reversed(event)]
        back = [event for event in events if _reversed(event)]
        initiators = [e["source"] for e in forth] + [e["destination"] for e in back]
        responders = [e["destination"] for e in forth] + [e["source"] for e in back]
        address = forth[0]["IP"]["source"] if forth else back[0]["IP"]["destination"]
        if any(end["identity"] == 4 for end in initiators + responders) or address in routers:
            continue
        begin = min(nanoseconds(event["time"]) for event in events) // MINUTE
        initiator = next((end for end in initiators if end.get("pod_name")), None)
        responder = next((end for end in responders if end.get("pod_name")), None)
        if initiator is not None:
            key = (begin, initiator["namespace"], _workload(initiator["pod_name"]), "outbound")
        elif responder is not None:
            key = (begin, responder["namespace"], _workload(responder["pod_name"]), "inbound")
        else:
            continue
        counts = counted[key]
        if protocol == "ICMPv4":
            counts["icmp"] += 1
            continue
        counts["attempts"] += 1
        counts[protocol.lower()] += 1
        counts[_outcome(events)] += 1
        if initiator is not None and responder is not None:
            counts[f"peer:{responder['namespace']}"] = 1
    return dict(counted)
