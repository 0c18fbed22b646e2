"""One open stream: a thread reads messages ahead into a bounded buffer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import grpc

from hubblewatch.source.hubble.channel import Metadata

GET_FLOWS = "/observer.Observer/GetFlows"
BATCH = 500
"""Messages taken at a time."""

_JOIN_SECONDS = 5.0


class Reading:
    """Reads a ``GetFlows`` stream from its start until it ends or is closed.

    The thread does nothing but take messages from gRPC, so that the cost of all else is paid a
    batch at a time. When the buffer is full it waits, which makes the server wait.
    """

    def __init__(
        self, channel: grpc.Channel, request: bytes, metadata: Metadata, limit: int
    ) -> None:
        self.waits = 0
        """Times that the buffer was full."""
        self.error: grpc.RpcError | None = None
        """What ended the stream; None while it runs, and where the server ended it orderly."""
        self._limit = limit
        self._buffer: deque[bytes] = deque()
        self._filled = threading.Event()
        self._room = threading.Event()
        self._ended = False
        self._closed = False
        self._call = channel.unary_stream(
            GET_FLOWS, request_serializer=None, response_deserializer=None
        )(request, metadata=metadata)
        self._thread = threading.Thread(target=self._read, name="hubble-stream", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left and nothing will come."""
        return self._ended and not self._buffer

    def take(self, timeout_seconds: float, pause: Callable[[float], object]) -> list[bytes]:
        """Give what has come, up to a batch; wait for the first message at most so long.

        ``pause`` sleeps, while some more messages gather.
        """
        buffer = self._buffer
        if len(buffer) < BATCH and not self._ended:
            self._filled.clear()
            if not buffer and not self._ended:
                self._filled.wait(timeout_seconds)
            if buffer and not self._ended:
                pause(LINGER_SECONDS)
        taken = list(_popped(buffer))
        self._room.set()
        return taken

    def close(self) -> None:
        """End the stream; what is in the buffer may still be taken."""
        self._closed = True
        self._room.set()
        self._call.cancel()
        self._thread.join(_JOIN_SECONDS)

    def _read(self) -> None:
        buffer = self._buffer
        append = buffer.append
        filled = self._filled
        limit = self._limit
        try:
            for message in self._call:
                append(message)
                size = len(buffer)
                if size == 1:
                    filled.set()
                elif size >= limit:
                    self.waits += 1
                    while len(buffer) >= limit and not self._closed:
                        self._room.clear()
                        if len(buffer) >= limit and not self._closed:
                            self._room.wait(1.0)
        except grpc.RpcError as error:
            self.error = error
        finally:
            self._ended = True
            filled.set()


LINGER_SECONDS = 0.02
"""How long messages may gather before they are handed on: fewer, larger batches."""


def _popped(buffer: deque[bytes]) -> Iterator[bytes]:
    for _ in range(min(len(buffer), BATCH)):
        yield buffer.popleft()
