"""A record as it stands in the spool: its length, a checksum, and what Kafka shall get, packed."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import msgspec
import zstandard
from msgspec import Struct

HEAD = struct.Struct(">II")
"""Length and CRC-32 of what follows."""

MAX_FRAME_BYTES = 8 << 20
"""A longer one is damaged: a record is at most 512 KiB before it is packed."""

_LEVEL = 1
"""Makes JSON some ten times smaller in the time that checksums and copies take anyway."""


class SpoolRecord(Struct, array_like=True, frozen=True):
    """What Kafka shall get. ``number`` counts the records of the run that wrote it, from 1."""

    topic: str
    partition: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int
    number: int = 0


class DamagedFrameError(Exception):
    """What is read is no record. ``is_rest`` if nothing behind it can be found any more."""

    def __init__(self, length: int, *, is_rest: bool) -> None:
        super().__init__(f"{length} bytes are damaged")
        self.length = length
        self.is_rest = is_rest


def packed(record: SpoolRecord) -> bytes:
    """Give the record as a frame."""
    body = zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(record))
    return HEAD.pack(len(body), zlib.crc32(body)) + body


def read_record(file: BinaryIO, end: int) -> tuple[SpoolRecord, int] | None:
    """Read the frame at the place of ``file``: the record and its bytes in the file.

    None at ``end``, where the file ends. Raises DamagedFrameError, and OSError.
    """
    left = end - file.tell()
    if left <= 0:
        return None
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        raise DamagedFrameError(left, is_rest=True)
    length, checksum = HEAD.unpack(head)
    if length > min(left - HEAD.size, MAX_FRAME_BYTES):
        raise DamagedFrameError(left, is_rest=True)
    body = file.read(length)
    if len(body) < length:
        raise DamagedFrameError(left, is_rest=True)
    size = HEAD.size + length
    if zlib.crc32(body) != checksum:
        raise DamagedFrameError(size, is_rest=False)
    try:
        raw = zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_FRAME_BYTES)
        return msgspec.msgpack.decode(raw, type=SpoolRecord), size
    except (zstandard.ZstdError, msgspec.MsgspecError):
        raise DamagedFrameError(size, is_rest=False) from None


def skip_record(file: BinaryIO, end: int) -> int | None:
    """Go behind the frame at the place of ``file`` without reading it; give its bytes.

    None at ``end``. Raises DamagedFrameError if the length cannot be, and OSError.
    """
    left = end - file.tell()
    if left <= 0:
        return None
    head = file.read(HEAD.size)
    length = HEAD.unpack(head)[0] if len(head) == HEAD.size else MAX_FRAME_BYTES
    if length > min(left - HEAD.size, MAX_FRAME_BYTES):
        raise DamagedFrameError(left, is_rest=True)
    file.seek(length, 1)
    return HEAD.size + int(length)
