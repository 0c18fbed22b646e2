"""Small parts of a flow, of which a stream has few different ones: each is parsed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.wrappers_pb2 import BoolValue

from hubblewatch.flow.schema import Addresses, EventType, TCPFlags
from hubblewatch.source.hubble.proto import flow_pb2

MAX_PARTS = 50_000
"""Different pairs of addresses remembered, some 200 bytes each, and other small parts of a flow."""

MAX_PART_BYTES = 256
"""Larger ones, which no Hubble sends, are not remembered."""

_Part = TypeVar("_Part")

_parse_addresses = flow_pb2.IP.FromString
_parse_event_type = flow_pb2.CiliumEventType.FromString
_parse_flags = flow_pb2.TCPFlags.FromString
_parse_is_reply = BoolValue.FromString


class Parts(dict[bytes, _Part]):
    """A small part of a flow by its bytes; the same object each time, as nobody changes it."""

    def __init__(self, parse: Callable[[bytes], _Part]) -> None:
        self._parse = parse

    def __missing__(self, encoded: bytes) -> _Part:
        part = self._parse(encoded)
        if len(encoded) <= MAX_PART_BYTES:
            if len(self) >= MAX_PARTS:
                self.clear()
            self[encoded] = part
        return part


def addresses_of(encoded: bytes) -> Addresses:
    """Give the addresses of an ``IP``."""
    ip = _parse_addresses(encoded)
    return Addresses(ip.source, ip.destination, ip.source_xlated)


def event_type_of(encoded: bytes) -> EventType:
    """Give the type of a ``CiliumEventType``."""
    kind = _parse_event_type(encoded)
    return EventType(kind.type, kind.sub_type)


def flags_of(encoded: bytes) -> TCPFlags:
    """Give the flags of a ``TCPFlags``."""
    flags = _parse_flags(encoded)
    return TCPFlags(flags.SYN, flags.ACK, flags.RST, flags.FIN)


def is_reply_of(encoded: bytes) -> bool:
    """Give the value of a ``BoolValue``."""
    is_reply: bool = _parse_is_reply(encoded).value
    return is_reply
