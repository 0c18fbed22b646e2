"""What the live source counts, for metrics and logs."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from msgspec import Struct, field


class ReconnectReason(StrEnum):
    """Why a stream was opened again; a closed set, since it is a metric label."""

    UNREACHABLE = "unreachable"
    """No connection, or it broke."""
    REFUSED = "refused"
    """Hubble, or a proxy before it, does not let this client in."""
    CERTIFICATE = "certificate"
    """A file for TLS or the password cannot be used."""
    ENDED = "ended"
    """Hubble closed the stream, as it does when it stops."""
    SILENT = "silent"
    """The stream was open, but nothing came and Hubble did not answer."""
    STALLED = "stalled"
    """Hubble answers and saw flows, but none came."""
    MISSING_NODE = "missing-node"
    """Relay knows a node that sees flows, but none of them came."""
    EMPTY_RING = "empty-ring"
    """A node has its first flows; a stream opened before that would not bring them."""
    FIELD_MASK = "field-mask"
    """Hubble cannot send chosen fields only, so all are asked for."""
    ERROR = "error"
    """Another error of Hubble's."""


class NodeState(StrEnum):
    """States of a node; a closed set, since it is a metric label."""

    CONNECTED = "connected"
    UNAVAILABLE = "unavailable"
    GONE = "gone"
    ERROR = "error"
    SILENT = "silent"
    """It ought to have been heard, by what Relay says of it or by its habit."""


class SourceCounts(Struct):
    """Totals since the start, which only grow, and where the source stands now."""

    flows: int = 0
    """Flows handed on."""
    bytes: int = 0
    """Bytes of all messages received."""
    batches: int = 0
    duplicates: int = 0
    """Flows and losses that came again after a break, passed by."""
    stale: int = 0
    """Those of the duplicates that were too old to be looked up: their node was further already."""
    rejected: int = 0
    """Messages that are no Hubble responses."""
    lost: Counter[str] = field(default_factory=Counter)
    """Events lost, by Hubble's source or STREAM_GAP; the latter is an estimate."""
    gaps: int = 0
    """Breaks after which flows of a node were missing."""
    connections: int = 0
    """Streams opened."""
    reconnects: Counter[str] = field(default_factory=Counter)
    """Streams broken or given up, by ReconnectReason."""
    failed_checks: int = 0
    """Questions whether Hubble is alive that got no answer."""
    nodes: dict[str, int] = field(default_factory=dict)
    """Nodes known now, by NodeState."""
    buffered: int = 0
    """Messages read ahead now."""
    waits: int = 0
    """Times that the buffer was full and Hubble was made to wait."""
    latency_seconds: float = 0.0
    """Age of the newest flow when it was handed on last."""
    newest_event_ns: int = 0
    connected: bool = False
    server: str = ""
    """Version of the Hubble connected to last."""
