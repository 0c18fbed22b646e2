"""A Relay that keeps every flow it was given, and misbehaves in all other ways when told to."""

from __future__ import annotations

import bisect
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import grpc
from tests.builders import flow, pod
from tests.source.hubble.honest import encoded
from tests.source.hubble.observer import Observer, loss_now, now_ns, relay_node

from hubblewatch.source.hubble.proto import observer_pb2, relay_pb2

NODES = tuple(f"node-{number}" for number in range(4))
NAMESPACES = 24

DUPLICATED_SECONDS = 2.0
"""How much earlier than asked for a Relay begins that repeats itself."""


def _templates() -> dict[str, list[observer_pb2.GetFlowsResponse]]:
    parse = observer_pb2.GetFlowsResponse.FromString
    return {
        node: [
            parse(
                encoded(
                    flow(
                        source=pod(f"team-{number}/web-7d9f8c6b5-x2x7z", node=node),
                        destination=pod("shop/cart-7d9f8c6b5-x2x7z", node="node-z"),
                        node=node,
                    )
                )
            )
            for number in range(NAMESPACES)
        ]
        for node in NODES
    }


class FlowMaker:
    """Makes flows of now quickly: only time and uuid differ from a few that were encoded once."""

    def __init__(self) -> None:
        self._templates = _templates()
        self._count = count()
        self.noise_bytes = 0
        """Random bytes in each uuid, which nothing packs."""

    def make(self, node: str, time_ns: int) -> tuple[str, bytes]:
        """A uuid that sorts as the flows were made, and the message."""
        number = next(self._count)
        name = f"{number:012d}-{uuid.uuid4()}{random.randbytes(self.noise_bytes).hex()}"
        found = self._templates[node][number % NAMESPACES]
        for stamp in (found.time, found.flow.time):
            stamp.seconds, stamp.nanos = divmod(time_ns, 1_000_000_000)
        found.flow.uuid = name
        found.node_name = found.flow.node_name = node
        message: bytes = found.SerializeToString()
        return name, message


class FaultyHubble(Observer):
    """Serves all flows made, from ``since`` on, and remembers what it declared lost.

    ``made`` and ``lost`` are what an exporter must tell. Feeding is by one thread, ``speak``.
    """

    def __init__(self, credentials: Callable[[], grpc.ServerCredentials] | None = None) -> None:
        super().__init__(credentials)
        self.made: list[tuple[str, str]] = []
        """Uuid and node of each flow, in order."""
        self.made_ns: list[int] = []
        """When each was made, in epoch nanoseconds."""
        self.lost: Counter[str] = Counter()
        self.states: list[tuple[str, str]] = []
        """Changes of a node's state that were sent: name of the change, and node."""
        self.outages: list[tuple[str, int, int]] = []
        """Nodes that were declared away, with begin and end in epoch nanoseconds."""
        self.repeats = False
        self.pause_seconds = 0.0
        """Between two messages of a stream, on average."""
        self.mute: set[str] = set()
        """Nodes that make no flows now."""
        self.maker = FlowMaker()
        self._times: list[int] = []
        self._seen: Counter[str] = Counter()
        self._away_ns: dict[str, int] = {}
        self._lock = threading.Lock()
        self._states = dict.fromkeys(NODES, relay_pb2.NODE_CONNECTED)

    def speak(self, flows: int) -> None:
        """Make so many flows of now."""
        speaking = [node for node in NODES if node not in self.mute] or list(NODES)
        with self._lock:
            for number in range(flows):
                node = speaking[number % len(speaking)]
                time_ns = now_ns()
                name, message = self.maker.make(node, time_ns)
                self._put(time_ns, message)
                self.made.append((name, node))
                self.made_ns.append(time_ns)
                self._seen[node] += 1
            self._list_nodes()

    def lose(self, events: int, source: str) -> None:
        """Declare a loss; the events themselves are made by nobody."""
        with self._lock:
            self._put(now_ns(), loss_now(events, source, NODES[events % len(NODES)]))
            self.lost[source] += events

    def change(self, node: str, state: int) -> None:
        """Tell in the stream and in the list of nodes that a node's state changed."""
        with self._lock:
            self._states[node] = state
            name = relay_pb2.NodeState.Name(state)
            message = observer_pb2.GetFlowsResponse(
                node_status=relay_pb2.NodeStatusEvent(state_change=state, node_names=[node]),
                node_name="relay",
            )
            time_ns = now_ns()
            message.time.seconds, message.time.nanos = divmod(time_ns, 1_000_000_000)
            self._put(time_ns, message.SerializeToString())
            self.states.append((name, node))
            if state == relay_pb2.NODE_CONNECTED:
                self.outages.append((node, self._away_ns.pop(node, time_ns), time_ns))
            else:
                self._away_ns[node] = time_ns
            self._list_nodes()

    def break_streams(self) -> None:
        """End all open streams with an error, the server stays."""
        self._epoch += 1

    def _list_nodes(self) -> None:
        self.nodes = [relay_node(node, self._seen[node], self._states[node]) for node in NODES]

    def _put(self, time_ns: int, message: bytes) -> None:
        self._times.append(time_ns)
        self.ring.append((time_ns, message))

    def _get_flows(self, encoded_request: bytes, context: Any) -> Iterator[bytes]:
        request = observer_pb2.GetFlowsRequest.FromString(encoded_request)
        self.requests.append(request)
        if self.refuses_mask and request.field_mask.paths:
            context.abort(grpc.StatusCode.UNKNOWN, self.refuses_mask)
        since = request.since.seconds * 1_000_000_000 + request.since.nanos
        if self.repeats:
            since -= round(DUPLICATED_SECONDS * 1e9)
        self.hidden.clear()
        hidden: set[bytes] = set()
        epoch, place = self._epoch, bisect.bisect_left(self._times, since)
        while context.is_active():
            if self._epoch != epoch:
                context.abort(grpc.StatusCode.INTERNAL, "broken on purpose")
            if self.hangs or place >= len(self.ring):
                time.sleep(0.005)
                continue
            message = self.ring[place][1]
            place += 1
            hidden |= {name.encode() for name in self.hidden}
            if hidden and any(name in message for name in hidden):
                continue
            if self.pause_seconds and random.random() < 0.05:
                time.sleep(20 * self.pause_seconds)
            yield message
            if self.repeats and random.random() < 0.1:
                yield message
