"""Bytes of a line to a typed Line, or a Reject; never an exception, whatever the bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from hubblewatch.flow.newlines import count_newlines
from hubblewatch.flow.reject import EXCERPT_BYTES, Reject, RejectReason
from hubblewatch.flow.schema import Flow, Line, Wrapper

MAX_LINE_BYTES = 1 << 20
"""A Hubble line is 1 to 4 kB; one of a megabyte is not Hubble's."""

# What container runtimes put before each line of a log file: time, stream, F(ull) or P(artial).
_CRI = rb"\s*\d{4}-\d\d-\d\dT[^ ]{1,40} (?:stdout|stderr) [FP] "
# Windows' shells begin a redirected recording with a byte order mark.
_PREFIX = re.compile(rb"\xef\xbb\xbf(?:%b)?|%b" % (_CRI, _CRI))

BLOCK_BYTES = 131_072
"""Bytes of an envelope decoded at once: few enough to stay in the processor's cache."""

_decoder = msgspec.json.Decoder(Line)
_decode_line: Callable[[bytes], Line] = _decoder.decode
_decode_many: Callable[[bytes], list[Line]] = _decoder.decode_lines
_decode_bare: Callable[[bytes], Flow] = msgspec.json.Decoder(Flow).decode
_decode_wrapper: Callable[[bytes], Wrapper] = msgspec.json.Decoder(Wrapper).decode


def decode_lines(
    lines: Sequence[bytes], on_reject: Callable[[Reject], None], source: str = "-", first: int = 1
) -> list[Line]:
    """Decode lines without their newline; empty ones are passed over.

    ``on_reject`` gets one Reject for each line that cannot be used, with the place
    ``source:number`` where ``first`` is the number of the first line. The others are kept.
    """
    if max(map(len, lines), default=0) > MAX_LINE_BYTES:
        return _decode_singly(lines, on_reject, source, first)
    try:
        decoded = [_decode_line(line) for line in lines]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_singly(lines, on_reject, source, first)
    unnamed = [index for index, line in enumerate(decoded) if line.flow is None]
    if not unnamed:
        return decoded
    dropped = []
    for index in unnamed:
        line = decoded[index]
        if not _has_member(line):
            found = _without_member(lines[index])
            if isinstance(found, Line):
                decoded[index] = found
            else:
                dropped.append(index)
                on_reject(_reject(found, lines[index], source, first + index))
    for index in reversed(dropped):
        del decoded[index]
    return decoded


def decode_block(
    block: bytes,
    count: int,
    on_reject: Callable[[Reject], None],
    source: str = "-",
    first: int = 1,
) -> list[Line]:
    """Decode ``count`` whole lines in one piece, as ``decode_lines`` would decode them one by one.

    To split them first would cost a fifth of the decoding. Only a block in which every line is
    plainly an object is decoded in one go: as many objects as lines, and each of a known kind.
    """
    if len(block) <= MAX_LINE_BYTES:
        try:
            decoded = _decode_many(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            decoded = []
        if len(decoded) == count and not [
            line for line in decoded if line.flow is None and not _has_member(line)
        ]:
            return decoded
    return decode_lines(block.split(b"\n"), on_reject, source, first)


def decode_envelope(
    envelope: bytes, on_reject: Callable[[Reject], None], source: str
) -> Iterator[list[Line]]:
    """Decode an envelope's lines, block by block."""
    start, number = 0, 1
    while start < len(envelope):
        end = envelope.find(b"\n", start + BLOCK_BYTES) + 1 or len(envelope)
        block = envelope[start:end]
        count = count_newlines(block) + (block[-1] != _NEWLINE)
        yield decode_block(block, count, on_reject, source, number)
        start, number = end, number + count


_NEWLINE = ord("\n")


def decode_line(line: bytes) -> Line | tuple[RejectReason, str]:
    """Decode one line, with or without a CRI prefix: the Line, or why not."""
    if len(line) > MAX_LINE_BYTES:
        return RejectReason.TOO_LONG, f"{len(line)} bytes; at most {MAX_LINE_BYTES} are read"
    try:
        try:
            decoded = _decode_line(line)
        except msgspec.DecodeError:
            prefix = _PREFIX.match(line)
            if prefix is None:
                raise
            line = line[prefix.end() :]
            decoded = _decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _why(error)
    return decoded if _has_member(decoded) else _without_member(line)


def _decode_singly(
    lines: Sequence[bytes], on_reject: Callable[[Reject], None], source: str, first: int
) -> list[Line]:
    decoded = []
    for index, line in enumerate(lines):
        if not line or line.isspace():
            continue
        found = decode_line(line)
        if isinstance(found, Line):
            decoded.append(found)
        else:
            on_reject(_reject(found, line, source, first + index))
    return decoded


def _has_member(line: Line) -> bool:
    return (
        line.flow is not None
        or line.lost_events is not None
        or line.node_status is not None
        or line.heartbeat is not None
        or line.census is not None
        or line.proxied is not None
    )


def _without_member(line: bytes) -> Line | tuple[RejectReason, str]:
    """Tell agent and debug events, a bare flow (old CLIs) and foreign objects apart."""
    try:
        wrapper = _decode_wrapper(line)
        if bytes(wrapper.agent_event) or bytes(wrapper.debug_event):
            return Line()
        if bytes(wrapper.verdict) or bytes(wrapper.IP) or bytes(wrapper.l4):
            return Line(flow=_decode_bare(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _why(error)
    return RejectReason.UNKNOWN, "a JSON object, but neither a Hubble response nor a flow"


def _why(error: Exception) -> tuple[RejectReason, str]:
    if isinstance(error, RecursionError):
        return RejectReason.TOO_DEEP, "nested too deeply"
    if isinstance(error, msgspec.ValidationError):
        return RejectReason.WRONG_TYPE, str(error)
    return RejectReason.MALFORMED, str(error)


def _reject(why: tuple[RejectReason, str], line: bytes, source: str, number: int) -> Reject:
    reason, detail = why
    return Reject(reason, f"{source}:{number}", detail, line[:EXCERPT_BYTES])
