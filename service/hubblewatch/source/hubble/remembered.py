"""Which events were received before: a memory of bounded size and a horizon where it ends."""

from __future__ import annotations

from hubblewatch.flow.schema import Flow, Line, LostEvents, Segment

MAX_REMEMBERED = 400_000
"""Events remembered at most, some 80 bytes each."""

MEMORY_NS = 120_000_000_000
"""Event time after which older events begin to be forgotten."""


class Remembered:
    """Events by their keys. It keeps between half and all of its bounds: two generations.

    ``horizon_ns`` is the event time up to which events may have been forgotten.
    """

    def __init__(self, max_remembered: int = MAX_REMEMBERED, memory_ns: int = MEMORY_NS) -> None:
        self.horizon_ns = 0
        self._max_young = max_remembered // 2
        self._memory_ns = memory_ns // 2
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._began_ns = 0

    def __contains__(self, key: int) -> bool:
        return key in self._young or key in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, key: int) -> None:
        """Remember an event."""
        self._young.add(key)

    def advance(self, newest_ns: int) -> None:
        """Event time has come to ``newest_ns``: forget what is beyond the bounds."""
        if not self._began_ns:
            self._began_ns = newest_ns
        elif len(self._young) >= self._max_young or newest_ns - self._began_ns >= self._memory_ns:
            if self._old:
                self.horizon_ns = self._began_ns
            self._old, self._young = self._young, set()
            self._began_ns = newest_ns


def flow_key(flow: Flow, node_name: str) -> int:
    """Give the key of a flow: its uuid, or for Hubble before 1.14 all that tells two apart."""
    if flow.uuid:
        return hash(flow.uuid)
    addresses, l4, kind = flow.IP, flow.l4, flow.event_type
    segment = (l4.TCP or l4.UDP or l4.SCTP) if l4 is not None else None
    icmp = (l4.ICMPv4 or l4.ICMPv6) if l4 is not None else None
    flags = segment.flags if isinstance(segment, Segment) else None
    return hash(
        (
            node_name,
            flow.time,
            flow.verdict,
            flow.trace_observation_point,
            flow.is_reply,
            (kind.type, kind.sub_type) if kind is not None else None,
            (addresses.source, addresses.destination) if addresses is not None else None,
            (segment.source_port, segment.destination_port) if segment is not None else None,
            (icmp.type, icmp.code) if icmp is not None else None,
            (flags.SYN, flags.ACK, flags.RST, flags.FIN) if flags is not None else None,
        )
    )


def loss_key(line: Line, lost: LostEvents) -> int:
    """Give the key of a loss that sits in Hubble's ring among the flows."""
    return hash((line.node_name, line.time, lost.source, lost.num_events_lost, lost.first))
