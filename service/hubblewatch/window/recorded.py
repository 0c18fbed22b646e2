"""Closed windows read back from their records, as far as baselines and features look at them."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hubblewatch.errors import HubblewatchError
from hubblewatch.flow.timestamp import parse_seconds
from hubblewatch.window.closed import (
    RECORD_FORMAT,
    ClosedWindow,
    ContactKey,
    EdgeCounts,
    EdgeKey,
    Subject,
    WindowRecord,
)
from hubblewatch.window.closing import Closing
from hubblewatch.window.completeness import Completeness


class NewerWindowError(HubblewatchError):
    """A record was written by a newer hubblewatch, so its fields may mean something else."""


class _Header(Struct):
    format: int = 0


_decode = msgspec.json.Decoder(WindowRecord).decode
_decode_header = msgspec.json.Decoder(_Header).decode


def decode_window(value: bytes) -> WindowRecord:
    """Decode a record of ``hubble.windows``.

    Raises NewerWindowError for a newer format, msgspec.MsgspecError for what is no window at all.
    """
    try:
        record = _decode(value)
    except msgspec.ValidationError:
        _refuse_newer(_decode_header(value).format)
        raise
    _refuse_newer(record.format)
    return record


def _refuse_newer(found: int) -> None:
    if found > RECORD_FORMAT:
        raise NewerWindowError(
            f"a closed window has format {found} and this hubblewatch knows {RECORD_FORMAT}: "
            "a newer one wrote it; use that one, or a range from before it"
        )


def is_whole(record: WindowRecord) -> bool:
    """Tell whether the record has all edges of its window."""
    return record.edge_count == len(record.edges)


def window_of(record: WindowRecord) -> ClosedWindow:
    """Give the window of a record.

    Of sets whose size alone is recorded (ports, addresses) the members are made up; what is not
    recorded at all (policies, names, unsuccessful contacts) is empty.
    """
    window = ClosedWindow(
        Subject(record.namespace, record.workload, record.direction),
        parse_seconds(record.start),
        parse_seconds(record.end),
        record.cluster,
    )
    window.attempts = record.attempts
    window.outcomes[:] = [
        record.allowed, record.denied, record.audited, record.dropped, record.failed
    ]  # fmt: skip
    window.tcp, window.udp = record.tcp, record.udp
    window.sctp, window.icmp = record.sctp, record.icmp
    window.udp_dns, window.icmp_denied = record.udp_dns, record.icmp_denied
    window.unreachable = record.unreachable
    window.peer_namespaces = set(record.peer_namespaces)
    window.peer_ports = set(range(record.peer_ports))
    window.contacts = {
        ContactKey(str(place), 0, ""): [0, 0] for place in range(record.peer_addresses)
    }
    for edge in record.edges:
        key = EdgeKey(edge.namespace, edge.workload, edge.port, edge.protocol)
        window.edges[key] = EdgeCounts(
            edge.attempts, edge.denied, edge.audited, edge.dropped, edge.failed
        )
        if edge.external:
            window.external.add(edge.workload)
    window.dns_queries, window.dns_failures = record.dns_queries, record.dns_failures
    window.new_edges = record.new_edges
    window.completeness = record.completeness
    window.capped = record.capped
    window.is_complete = record.complete
    window.silent_nodes = record.silent_nodes
    window.is_suspicious = record.suspicious
    window.is_alerted = record.alerted
    return window


def closings_of(records: list[WindowRecord], first: int) -> list[Closing]:
    """Give the closings that wrote these records of one stretch of time, sorted by subject.

    Mostly one; several where partitions saw the stretch more or less completely. ``first`` is the
    number of the stream's first window.
    """
    views: dict[tuple[bool, int], list[ClosedWindow]] = {}
    for record in records:
        views.setdefault((record.complete, record.silent_nodes), []).append(window_of(record))
    closings = []
    for (is_complete, silent), windows in sorted(views.items(), key=lambda view: view[0]):
        windows.sort(key=lambda window: window.subject)
        start, end = windows[0].start, windows[0].end
        number = start // max(1, end - start)
        share = min(window.completeness for window in windows)
        nodes = [f"node-{place}" for place in range(silent)]
        closings.append(
            Closing(
                number,
                start,
                end,
                windows[0].cluster,
                windows,
                Completeness(share, 0, 0.0, nodes, 0.0, 0.0),
                is_complete,
                number - first,
            )
        )
    return closings
