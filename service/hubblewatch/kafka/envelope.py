"""Lines to envelopes: the records of the flow topic, many lines in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.reject import EXCERPT_BYTES, Reject, RejectReason
from hubblewatch.flow.schema import Line

MAX_LINES = 500
MAX_BYTES = 512 * 1024
"""Bounds of an envelope before compression."""

MAX_AGE_SECONDS = 0.2
"""How long a line waits for others: little beside Relay's own delay."""

HEADERS: tuple[tuple[str, bytes], ...] = (("hubblewatch", b"1"),)
"""What tells our envelopes, and their version, from a foreign shipper's records."""


class Envelope(NamedTuple):
    """Lines of one partition in their order, joined by newlines."""

    partition: int
    value: bytes
    lines: int


class _Open:
    """The envelope that a partition's next lines go into."""

    __slots__ = ("length", "lines", "parts", "since")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0
        self.lines = 0
        self.since = 0.0


class Envelopes:
    """The open envelopes, one a partition; none outgrows its bounds or waits beyond its age.

    ``clock`` gives monotonic seconds. A single line beyond the bounds goes to ``on_reject``.
    """

    def __init__(
        self,
        partitions: int,
        clock: Callable[[], float],
        on_reject: Callable[[Reject], None],
        *,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        max_age_seconds: float = MAX_AGE_SECONDS,
    ) -> None:
        self._clock = clock
        self._on_reject = on_reject
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._open = [_Open() for _ in range(partitions)]

    def add(self, routed: Sequence[list[Line]]) -> list[Envelope]:
        """Take the lines of each partition; give the envelopes that became full, in order."""
        full: list[Envelope] = []
        now = self._clock()
        for partition, lines in enumerate(routed):
            if lines:
                full.extend(self._fill(partition, lines, now))
        return full

    def due(self) -> list[Envelope]:
        """Give the envelopes whose first line has waited for long enough."""
        oldest = self._clock() - self._max_age_seconds
        return [
            self._close(partition)
            for partition, one in enumerate(self._open)
            if one.lines and one.since <= oldest
        ]

    def flush(self) -> list[Envelope]:
        """Give all envelopes that hold anything."""
        return [self._close(partition) for partition, one in enumerate(self._open) if one.lines]

    def _fill(self, partition: int, lines: list[Line], now: float) -> Iterator[Envelope]:
        begin = 0
        while begin < len(lines):
            one = self._open[partition]
            piece = lines[begin : begin + self._max_lines - one.lines]
            begin += len(piece)
            for encoded, count in self._encoded(piece):
                if one.length + len(encoded) > self._max_bytes and one.lines:
                    yield self._close(partition)
                    one = self._open[partition]
                if not one.lines:
                    one.since = now
                one.parts.append(encoded)
                one.length += len(encoded)
                one.lines += count
            if one.lines >= self._max_lines:
                yield self._close(partition)

    def _encoded(self, lines: list[Line]) -> Iterator[tuple[bytes, int]]:
        """Give the lines as JSON, in pieces that fit an envelope each."""
        encoded = encode_lines(lines)
        if len(encoded) <= self._max_bytes:
            yield encoded, len(lines)
        elif len(lines) > 1:
            half = len(lines) // 2
            yield from self._encoded(lines[:half])
            yield from self._encoded(lines[half:])
        else:
            node = lines[0].flow.node_name if lines[0].flow is not None else lines[0].node_name
            self._on_reject(
                Reject(
                    RejectReason.TOO_LONG,
                    f"node {node or 'unknown'}",
                    f"{len(encoded)} bytes; an envelope holds at most {self._max_bytes}",
                    encoded[:EXCERPT_BYTES],
                )
            )

    def _close(self, partition: int) -> Envelope:
        one = self._open[partition]
        self._open[partition] = _Open()
        return Envelope(partition, b"".join(one.parts)[:-1], one.lines)
