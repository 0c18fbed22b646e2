"""An observer that does what the real one cannot be made to do; the real one is in tests/hubble."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc
from tests.builders import START, flow, line
from tests.source.hubble.honest import encoded

from hubblewatch.source.hubble.proto import observer_pb2, relay_pb2


def now_ns() -> int:
    return time.time_ns()


def response_at(time_ns: int, uuid: str, node: str = "node-a") -> bytes:
    """A flow at a time of day."""
    found = observer_pb2.GetFlowsResponse.FromString(encoded(flow(uuid=uuid, node=node)))
    for stamp in (found.time, found.flow.time):
        stamp.seconds, stamp.nanos = divmod(time_ns, 1_000_000_000)
    found.node_name = found.flow.node_name = node
    encoded_response: bytes = found.SerializeToString()
    return encoded_response


def loss_now(count: int, source: str = "PERF_EVENT_RING_BUFFER", node: str = "node-a") -> bytes:
    content = {"source": source, "num_events_lost": str(count)}
    return encoded(line("lost_events", content, datetime.now(UTC).timestamp() - START, node))


class Observer:
    """Serves what ``add`` puts into its ring, from ``since`` on, to every stream.

    ``hangs`` makes it silent with all connections open; ``breaks_after`` ends each stream with an
    error after so many messages.
    """

    def __init__(self, credentials: Callable[[], grpc.ServerCredentials] | None = None) -> None:
        self.ring: list[tuple[int, bytes]] = []
        self.requests: list[observer_pb2.GetFlowsRequest] = []
        self.metadata: list[dict[str, str]] = []
        self.nodes: list[observer_pb2.Node] | None = None
        """What GetNodes says; None is an agent, which has no such call."""
        self.hangs = False
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.refuses_mask = ""
        self.breaks_after: int | None = None
        self.hidden: set[str] = set()
        """Nodes whose flows no stream gets until the next one is opened."""
        self.reply_seconds = 0.0
        self.seen = 0
        self.port = 0
        self._credentials = credentials
        self._server: Any = None
        self._epoch = 0

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def start(self) -> Observer:
        self._epoch += 1
        self._server = grpc.server(ThreadPoolExecutor(20), options=[("grpc.so_reuseport", 0)])
        unary = {"GetNodes": self._get_nodes, "ServerStatus": self._status}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(call) for name, call in unary.items()
        } | {"GetFlows": grpc.unary_stream_rpc_method_handler(self._get_flows)}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("observer.Observer", handlers),)
        )
        place = f"localhost:{self.port}"
        if self._credentials is None:
            self.port = self._server.add_insecure_port(place)
        else:
            self.port = self._server.add_secure_port(place, self._credentials())
        self._server.start()
        return self

    def stop(self) -> None:
        self._epoch += 1
        self._server.stop(0).wait(5)

    def add(self, *uuids: str, node: str = "node-a", at_ns: int | None = None) -> None:
        """Put flows of now into the ring."""
        for uuid in uuids:
            time_ns = now_ns() if at_ns is None else at_ns
            self.ring.append((time_ns, response_at(time_ns, uuid, node)))
            self.seen += 1

    def add_raw(self, message: bytes) -> None:
        self.ring.append((now_ns(), message))

    def _get_flows(self, encoded_request: bytes, context: Any) -> Iterator[bytes]:
        request = observer_pb2.GetFlowsRequest.FromString(encoded_request)
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if len(self.requests) > 1:
            self.hidden.clear()
        if self.refusal is not None:
            context.abort(*self.refusal)
        if self.refuses_mask and request.field_mask.paths:
            context.abort(grpc.StatusCode.UNKNOWN, self.refuses_mask)
        since = request.since.seconds * 1_000_000_000 + request.since.nanos
        epoch, place, sent = self._epoch, 0, 0
        while context.is_active() and self._epoch == epoch:
            if self.hangs or place >= len(self.ring):
                time.sleep(0.01)
                continue
            time_ns, message = self.ring[place]
            place += 1
            if time_ns < since or any(name.encode() in message for name in self.hidden):
                continue
            yield message
            sent += 1
            if sent == self.breaks_after:
                context.abort(grpc.StatusCode.INTERNAL, "broken on purpose")

    def _wait(self, context: Any) -> None:
        time.sleep(self.reply_seconds)
        while self.hangs and context.is_active():
            time.sleep(0.01)

    def _get_nodes(self, _: bytes, context: Any) -> bytes:
        self._wait(context)
        if self.nodes is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "GetNodes not implemented")
        found: bytes = observer_pb2.GetNodesResponse(nodes=self.nodes).SerializeToString()
        return found

    def _status(self, _: bytes, context: Any) -> bytes:
        self._wait(context)
        found: bytes = observer_pb2.ServerStatusResponse(
            seen_flows=self.seen, num_flows=len(self.ring), uptime_ns=1, version="test"
        ).SerializeToString()
        return found


def relay_node(name: str, seen: int, state: int = relay_pb2.NODE_CONNECTED) -> observer_pb2.Node:
    return observer_pb2.Node(
        name=name, state=state, seen_flows=seen, num_flows=min(seen, 4_095), uptime_ns=1
    )
