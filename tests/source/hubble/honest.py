"""Hubble's messages with the parts that ours keep as bytes, so that json_format knows them."""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    field_mask_pb2,
    json_format,
    message_factory,
    timestamp_pb2,
    wrappers_pb2,
)

from hubblewatch.source.hubble.proto import flow_pb2, observer_pb2, relay_pb2

KEPT_AS_BYTES = {
    "source": ".flow.Endpoint",
    "destination": ".flow.Endpoint",
    "IP": ".flow.IP",
    "event_type": ".flow.CiliumEventType",
    "is_reply": ".google.protobuf.BoolValue",
    "flags": ".flow.TCPFlags",
}
"""What these fields are on the wire."""


def _response_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    for module in (field_mask_pb2, timestamp_pb2, wrappers_pb2, flow_pb2, relay_pb2, observer_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        if module is flow_pb2:
            file.dependency.append("google/protobuf/wrappers.proto")
            for message in file.message_type:
                for field in message.field:
                    if field.type == field.TYPE_BYTES:
                        field.type, field.type_name = field.TYPE_MESSAGE, KEPT_AS_BYTES[field.name]
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("observer.GetFlowsResponse"))


Response = _response_class()


def encoded(line: bytes | str | dict[str, Any]) -> bytes:
    """A line of Hubble JSON as the bytes that the wire carries; unknown fields are left out."""
    parse = json_format.ParseDict if isinstance(line, dict) else json_format.Parse
    found: bytes = parse(line, Response(), ignore_unknown_fields=True).SerializeToString()
    return found


def as_json(response: bytes) -> bytes:
    """The bytes of a response as the line of JSON that Hubble itself would write."""
    return json_format.MessageToJson(
        Response.FromString(response), preserving_proto_field_name=True, indent=None
    ).encode()
