"""Asks a Hubble once: its status, its rings, and some of its last flows; every call is bounded."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from msgspec import Struct

from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Flow
from hubblewatch.settings import FlowFilterSettings, HubbleSettings
from hubblewatch.source.hubble.channel import call_metadata, open_channel
from hubblewatch.source.hubble.proto import observer_pb2, relay_pb2
from hubblewatch.source.hubble.reading import GET_FLOWS
from hubblewatch.source.hubble.request import flow_filters
from hubblewatch.source.hubble.response import ResponseReader
from hubblewatch.source.hubble.trouble import explain

LEAST_OF_NODE = 20
"""Flows to ask of each node of a large cluster, at least."""

MAX_MESSAGES = 20_000
"""Messages of a sample that are kept, about 1.5 kB each."""


class RingStatus(Struct, frozen=True):
    """A node's ring of flows: how many it may hold, and how many the node has seen in all."""

    node: str
    max_flows: int
    seen_flows: int
    uptime_seconds: float


class ServerReport(Struct, frozen=True):
    """What Hubble says of itself; ``connected`` is None for an agent, which has no nodes."""

    version: str
    rings: tuple[RingStatus, ...]
    connected: int | None = None
    unavailable: int = 0
    unavailable_nodes: tuple[str, ...] = ()


class FlowSample(Struct, frozen=True):
    """Some of the last flows, and the losses reported among them by source."""

    flows: tuple[Flow, ...]
    newest_ns: int = 0
    """Event time of the newest flow; 0 if there is none."""
    lost: dict[str, int] = {}
    rejected: int = 0
    """Messages that could not be read."""
    is_complete: bool = True
    """Whether it ended by itself, or by having as many as wanted, and not for want of time."""


class HubbleSurvey:
    """One connection for some questions; use it in a ``with`` statement.

    Opening raises ConfigurationError for files that cannot be used; each question raises
    HubbleTroubleError, or ConfigurationError for what no waiting mends.
    """

    def __init__(self, settings: HubbleSettings) -> None:
        self._settings = settings
        self._timeout = settings.connect_timeout_seconds + settings.check_timeout_seconds
        self._metadata = call_metadata(settings)
        self._channel = open_channel(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()

    def status(self) -> ServerReport:
        """Ask for ServerStatus, and Relay for its nodes."""
        found = self._ask("ServerStatus", observer_pb2.ServerStatusResponse.FromString)
        rings = self._rings()
        if rings is None:
            rings = (RingStatus("", found.max_flows, found.seen_flows, found.uptime_ns / 1e9),)
        has_nodes = found.HasField("num_connected_nodes")
        return ServerReport(
            found.version,
            rings,
            found.num_connected_nodes.value if has_nodes else None,
            found.num_unavailable_nodes.value,
            tuple(found.unavailable_nodes),
        )

    def sample(
        self, number: int, seconds: float, nodes: int = 1, only: FlowFilterSettings | None = None
    ) -> FlowSample:
        """Read the last ``number`` flows or so of ``nodes`` in all, for ``seconds`` at most.

        Without ``only`` the settings' own filters hold.
        """
        settings = self._settings
        request = observer_pb2.GetFlowsRequest(
            # Relay gives so many of each node, oldest first.
            number=max(number // max(nodes, 1), LEAST_OF_NODE),
            whitelist=flow_filters(settings.only if only is None else only),
            blacklist=flow_filters(settings.without) if only is None else [],
        ).SerializeToString()
        messages, is_complete = self._read(request, number if nodes <= 1 else None, seconds)
        rejects: list[Reject] = []
        lines, times = ResponseReader(settings.address, rejects.append).read(messages)
        lost: Counter[str] = Counter()
        flows, newest = [], 0
        for line, time_ns in zip(lines, times, strict=True):
            if line.flow is not None:
                flows.append(line.flow)
                newest = max(newest, time_ns)
            elif line.lost_events is not None:
                lost[str(line.lost_events.source)] += int(line.lost_events.num_events_lost)
        return FlowSample(tuple(flows), newest, dict(lost), len(rejects), is_complete)

    def _read(
        self, request: bytes, number: int | None, seconds: float
    ) -> tuple[Sequence[bytes], bool]:
        """Read to the end, or up to ``number``; the newest are kept."""
        messages: deque[bytes] = deque(maxlen=MAX_MESSAGES)
        call = self._channel.unary_stream(
            GET_FLOWS, request_serializer=None, response_deserializer=None
        )(request, timeout=seconds, metadata=self._metadata)
        try:
            for message in call:
                messages.append(message)
                if number is not None and len(messages) >= number:
                    break
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return messages, False
            raise explain(error, self._settings) from None
        finally:
            call.cancel()
        return messages, True

    def _rings(self) -> tuple[RingStatus, ...] | None:
        """Ask for the nodes; None from an agent, and from a Relay that does not know the call."""
        call = self._call("GetNodes", observer_pb2.GetNodesResponse.FromString)
        try:
            found = call(b"", timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise explain(error, self._settings) from None
        return tuple(
            RingStatus(node.name, node.max_flows, node.seen_flows, node.uptime_ns / 1e9)
            for node in found.nodes
            if node.state == relay_pb2.NODE_CONNECTED
        )

    def _ask(self, name: str, parse: Any) -> Any:
        try:
            return self._call(name, parse)(b"", timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise explain(error, self._settings) from None

    def _call(self, name: str, parse: Any) -> Any:
        return self._channel.unary_unary(
            f"/observer.Observer/{name}", request_serializer=None, response_deserializer=parse
        )
