"""What the spool had to drop, as lines of loss: their windows must be known to be incomplete."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct, field

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.schema import Line, LostEvents
from hubblewatch.flow.timestamp import TimestampError, parse_seconds
from hubblewatch.kafka.spool.record import SpoolRecord
from hubblewatch.window.completeness import EXPORTER_BUFFER

PIECE_SECONDS = 10
"""Flows dropped in so much event time are told in one line."""

MAX_PIECES = 10_000
"""A day and more; beyond, flows count to a piece that is there."""

MAX_CONTROLS = 10_000
"""Losses and node states kept of what was dropped; beyond, they are left out."""

LINES = 500


class _Piece(Struct):
    flows: int
    first: str
    last: str


class _Stored(Struct):
    pieces: dict[int, _Piece] = field(default_factory=dict)
    controls: dict[int, list[Line]] = field(default_factory=dict)


class Losses:
    """Sums up dropped records: flows by event time, and what they said of losses and nodes.

    Heartbeats and censuses are not kept: the gap in their numbers tells of itself. It is true while
    there is something that is not under way to Kafka.
    """

    def __init__(self) -> None:
        self._stored = _Stored()
        self._under_way: list[_Stored] = []
        self._controls = 0

    def __bool__(self) -> bool:
        return bool(self._stored.pieces or self._stored.controls)

    def take(self, record: SpoolRecord) -> int:
        """Take a dropped record of the flow topic; give how many flows were in it."""
        flows = 0
        for line in decode_lines(record.value.split(b"\n"), _pass_by):
            if line.flow is not None:
                flows += 1
                self._take_flow(line.flow.time or line.time)
            elif line.lost_events is not None or line.node_status is not None:
                self._keep(record.partition, line)
        return flows

    def lines(self, partition: int) -> list[Line]:
        """Give what this partition has to be told, the flows' losses being told to all."""
        lines = [
            Line(
                lost_events=LostEvents(EXPORTER_BUFFER, str(piece.flows), piece.first, piece.last),
                time=piece.last,
            )
            for _, piece in sorted(self._stored.pieces.items())
        ]
        return lines + self._stored.controls.get(partition, [])

    def envelopes(self, partition: int) -> Iterator[bytes]:
        """Give ``lines`` as values of the flow topic."""
        lines = self.lines(partition)
        for begin in range(0, len(lines), LINES):
            yield encode_lines(lines[begin : begin + LINES])[:-1]

    def encode(self) -> bytes:
        """Give it all as bytes for ``decode``, what is under way too: it might not arrive."""
        return msgspec.json.encode(_joined([*self._under_way, self._stored]))

    def decode(self, content: bytes) -> None:
        """Take what ``encode`` gave in place of what is here; raises msgspec.MsgspecError."""
        self._stored = msgspec.json.decode(content, type=_Stored)
        self._controls = sum(map(len, self._stored.controls.values()))

    def send(self) -> None:
        """What is here is under way to Kafka now, until it is ``told``."""
        self._under_way.append(self._stored)
        self._stored = _Stored()
        self._controls = 0

    def told(self) -> None:
        """What was under way has arrived."""
        self._under_way.clear()

    def _take_flow(self, stamp: str) -> None:
        try:
            number = parse_seconds(stamp) // PIECE_SECONDS
        except TimestampError:
            return
        pieces = self._stored.pieces
        if number not in pieces and len(pieces) >= MAX_PIECES:
            number = min(pieces, key=lambda known: abs(known - number))
        piece = pieces.get(number)
        if piece is None:
            pieces[number] = _Piece(1, stamp, stamp)
            return
        piece.flows += 1
        # As text: Hubble writes all times alike, and a wrong order within a second harms nobody.
        piece.first = min(piece.first, stamp)
        piece.last = max(piece.last, stamp)

    def _keep(self, partition: int, line: Line) -> None:
        if self._controls < MAX_CONTROLS:
            self._controls += 1
            self._stored.controls.setdefault(partition, []).append(line)


def _joined(parts: list[_Stored]) -> _Stored:
    joined = _Stored()
    for part in parts:
        for number, piece in part.pieces.items():
            known = joined.pieces.get(number)
            if known is None:
                joined.pieces[number] = _Piece(piece.flows, piece.first, piece.last)
            else:
                known.flows += piece.flows
                known.first = min(known.first, piece.first)
                known.last = max(known.last, piece.last)
        for partition, lines in part.controls.items():
            joined.controls.setdefault(partition, []).extend(lines)
    return joined


def _pass_by(rejects: object) -> None:
    """What cannot be decoded was refused when it was read."""
