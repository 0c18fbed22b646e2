"""Decoded lines back to Hubble's JSON, reduced to what counting reads.

What is written decodes to what counts the same: a pod is known by its name, so its labels go (more
than half of a line), as do a time and a node name that the flow itself has. Members that the schema
does not name went with the decoding, HTTP headers and URLs among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from hubblewatch.flow.schema import Endpoint, Line

_NO_LABELS = Endpoint().labels

_encode: Callable[[Iterable[Line]], bytes] = msgspec.json.Encoder().encode_lines


def encode_lines(lines: list[Line]) -> bytes:
    """Give the lines as JSON, each with its newline. The lines themselves are reduced by that."""
    for line in lines:
        flow = line.flow
        if flow is None:
            continue
        if flow.time:
            line.time = ""
        if flow.node_name:
            line.node_name = ""
        source = flow.source
        if source is not None and source.pod_name:
            source.labels = _NO_LABELS
        destination = flow.destination
        if destination is not None and destination.pod_name:
            destination.labels = _NO_LABELS
    return _encode(lines)
