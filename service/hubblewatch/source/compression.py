"""Compressed recordings: told by their first bytes, and unpacked within bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import zstandard

from hubblewatch.errors import ConfigurationError

Read = Callable[[int], bytes]
"""Reads up to so many bytes; empty at the end."""

CHUNK_BYTES = 65_536
"""Of a plain or unpacked recording at a time: some fifty lines, well within a cache."""

PACKED_BYTES = 1 << 15
"""Of a compressed recording at a time: it unpacks to some ten times as much."""

ZSTD_PIECE_BYTES = 1 << 10
"""Compressed bytes given to zstd at a time. It has no bound on what comes out, but a block is at
most 128 KiB and takes at least 4 bytes, so a crafted piece of this size unpacks to 32 MiB."""

MAGIC_BYTES = 8
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_GZIP_WITH_HEADER = 16 + zlib.MAX_WBITS

_UNREAD = {
    b"BZh": ("bzip2", "bzip2 -dc FILE | hubblewatch replay -"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc FILE | hubblewatch replay -"),
    b"PK\x03\x04": ("zip", "unzip -p FILE | hubblewatch replay -"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -dc FILE | hubblewatch replay -"),
    b"\xff\xfe": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE | hubblewatch replay -"),
    b"\xfe\xff": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE | hubblewatch replay -"),
}


class DamagedError(Exception):
    """The recording cannot be read further; what came before it is good."""


def unpack(read: Read, name: str) -> Iterator[bytes]:
    """Give a recording's text in chunks, whatever its compression; ``name`` is for messages.

    Raises DamagedError where compressed bytes end early or are wrong, after all that was readable,
    and ConfigurationError for a form that is not read at all.
    """
    head = b""
    while len(head) < MAGIC_BYTES and (more := read(PACKED_BYTES)):
        head += more
    for magic, (form, instead) in _UNREAD.items():
        if head.startswith(magic):
            raise ConfigurationError(
                f"{name} is {form}, which is not read directly; use: "
                + instead.replace("FILE", name)
            )
    if head.startswith(_GZIP):
        return _gunzip(head, read)
    if head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and head[0] & 0xF0 == 0x50):
        return _unzstd(head, read)
    return _plain(head.removeprefix(b"\xef\xbb\xbf"), read)


def _plain(head: bytes, read: Read) -> Iterator[bytes]:
    chunk = head
    while chunk:
        yield chunk
        chunk = read(CHUNK_BYTES)


def _gunzip(packed: bytes, read: Read) -> Iterator[bytes]:
    """Unpack gzip members one after the other; zeros after the last are padding."""
    while packed:
        member = zlib.decompressobj(_GZIP_WITH_HEADER)
        while True:
            try:
                chunk = member.decompress(packed, CHUNK_BYTES)
            except zlib.error as error:
                raise DamagedError(f"its gzip data is damaged ({error})") from error
            if chunk:
                yield chunk
            if member.eof:
                break
            packed = member.unconsumed_tail or read(PACKED_BYTES)
            if not packed:
                raise DamagedError("its gzip data ends early")
        packed = (member.unused_data or read(PACKED_BYTES)).lstrip(b"\0")
        while not packed and (more := read(PACKED_BYTES)):
            packed = more.lstrip(b"\0")


def _unzstd(packed: bytes, read: Read) -> Iterator[bytes]:
    """Unpack zstd frames one after the other, skippable ones included."""
    unpacker = zstandard.ZstdDecompressor()
    while packed:
        frame = unpacker.decompressobj()
        ended = False
        while not ended:
            for start in range(0, len(packed), ZSTD_PIECE_BYTES):
                try:
                    chunk = frame.decompress(packed[start : start + ZSTD_PIECE_BYTES])
                except zstandard.ZstdError as error:
                    raise DamagedError(f"its zstd data is damaged ({error})") from error
                for begin in range(0, len(chunk), CHUNK_BYTES):
                    yield chunk[begin : begin + CHUNK_BYTES]
                if frame.eof:
                    packed = frame.unused_data + packed[start + ZSTD_PIECE_BYTES :]
                    ended = True
                    break
            else:
                if not (packed := read(PACKED_BYTES)):
                    raise DamagedError("its zstd data ends early")
        packed = packed or read(PACKED_BYTES)
