"""Lines that are no flows: losses, node states, heartbeats."""

from __future__ import annotations

from hubblewatch.simulate.clock import rfc3339
from hubblewatch.simulate.peers import compact


def lost_events(
    source: str, count: int, node: str, at_ns: int, cpu: int | None, first_ns: int, last_ns: int
) -> str:
    """A loss as Hubble reports it; `source` is a `LostEventSource` name."""
    members: dict[str, object] = {"source": source, "num_events_lost": str(count)}
    if cpu is not None:
        members["cpu"] = cpu
    members["first"] = rfc3339(first_ns)
    members["last"] = rfc3339(last_ns)
    return compact({"lost_events": members, "node_name": node, "time": rfc3339(at_ns)})


def node_status(state: str, nodes: list[str], at_ns: int, message: str = "") -> str:
    """A change of nodes' state, in Relay's name."""
    members: dict[str, object] = {"state_change": state, "node_names": nodes}
    if message:
        members["message"] = message
    return compact(
        {
            "node_status": members,
            "node_name": "hubble-relay-7c5d8f9b6d-x2kqv",
            "time": rfc3339(at_ns),
        }
    )


def heartbeat(sequence: int, watermark_ns: int, at_ns: int) -> str:
    """The exporter's promise that no flow older than the watermark follows."""
    return compact(
        {
            "heartbeat": {
                "exporter": "sim",
                "sequence": sequence,
                "watermark": rfc3339(watermark_ns),
            },
            "time": rfc3339(at_ns),
        }
    )
