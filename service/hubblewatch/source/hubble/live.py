"""The live source for an event loop: the stream runs in a thread, a few batches ahead."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import closing

from hubblewatch.flow.schema import Line
from hubblewatch.source.hubble.counts import SourceCounts
from hubblewatch.source.hubble.resumption import Reached, Resumption
from hubblewatch.source.hubble.stream import HubbleStream

MAX_BATCHES = 8
"""Batches handed over and not yet taken; then the thread waits, and in the end Hubble."""

JOIN_SECONDS = 10.0
RATES_SECONDS = 5.0
"""How often the nodes' rates are taken down, for the next start."""

_POLL_SECONDS = 0.5


class LiveSource:
    """A HubbleStream as what the exporter reads from. It ends when ``close`` is called, or fails.

    While nothing comes it gives an empty batch each second or so. ``resumption`` remembers how far
    its lines have arrived.
    """

    is_live = True

    def __init__(self, stream: HubbleStream, resumption: Resumption | None = None) -> None:
        self.taken = 0
        """Batches taken, empty ones included: it moves each second, or the thread is stuck."""
        self._stream = stream
        self._resumption = resumption
        self._complete_ns = 0
        self._confirmed_ns = 0
        self._rates: dict[str, float] = {}

    @property
    def counts(self) -> SourceCounts:
        """What the stream counts."""
        return self._stream.counts

    @property
    def complete_through_ns(self) -> int:
        """Event time up to which all was taken; it stands still while the connection is broken.

        An exporter must not promise more. A batch counts once the next one is asked for. 0 before
        the first answer of Hubble's.
        """
        return self._complete_ns

    @property
    def goes_on(self) -> bool:
        """Whether it begins where an earlier run has ended."""
        return self._resumption is not None and self._resumption.goes_on

    def position(self) -> Reached:
        """Give how far all lines have been taken."""
        return Reached(self._complete_ns, self._rates)

    async def confirm(self, position: Reached) -> None:
        """All lines up to ``position`` have arrived: remember it for the next start."""
        if self._resumption is not None and position.complete_ns > self._confirmed_ns:
            self._confirmed_ns = position.complete_ns
            await asyncio.to_thread(self._resumption.write, position)

    def close(self) -> None:
        """End the stream; ``batches`` ends soon after."""
        self._stream.close()

    async def batches(self) -> AsyncIterator[list[Line]]:
        """Give lines in the order in which they came.

        Raises what the stream raises: ConfigurationError for what no waiting mends.
        """
        handover = _Handover(asyncio.get_running_loop())
        thread = threading.Thread(
            target=self._run, args=(handover,), name="hubble-source", daemon=True
        )
        thread.start()
        try:
            while True:
                found = await handover.take()
                if found is None:
                    return
                batch, complete_ns = found
                self.taken += 1
                yield batch
                self._complete_ns = complete_ns
        finally:
            self._stream.close()
            handover.leave()
            await asyncio.to_thread(thread.join, JOIN_SECONDS)

    def _run(self, handover: _Handover) -> None:
        try:
            rated_at = time.monotonic()
            with closing(self._stream.batches()) as batches:
                for batch in batches:
                    if self._resumption is not None and time.monotonic() > rated_at + RATES_SECONDS:
                        rated_at = time.monotonic()
                        self._rates = self._stream.rates()
                    if not handover.put(batch, self._stream.complete_through_ns):
                        return
        except Exception as error:  # noqa: BLE001 -- raised again where the batches are awaited
            handover.end(error)
        else:
            handover.end(None)


class _Handover:
    """A bounded queue from a thread to an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._batches: deque[tuple[list[Line], int]] = deque()
        self._arrived = asyncio.Event()
        self._room = threading.Event()
        self._has_ended = False
        self._has_left = False
        self._error: Exception | None = None

    def put(self, batch: list[Line], complete_ns: int) -> bool:
        """Hand over a batch, once there is room; give whether anybody is still there.

        With it all up to the event time ``complete_ns`` is handed over.
        """
        while len(self._batches) >= MAX_BATCHES and not self._has_left:
            self._room.clear()
            if len(self._batches) >= MAX_BATCHES:
                self._room.wait(_POLL_SECONDS)
        self._batches.append((batch, complete_ns))
        self._wake()
        return not self._has_left

    def end(self, error: Exception | None) -> None:
        """Say that nothing more comes, and why."""
        self._error = error
        self._has_ended = True
        self._wake()

    async def take(self) -> tuple[list[Line], int] | None:
        """Give the next batch and how far it goes; None at the end."""
        while not self._batches:
            self._arrived.clear()
            if self._batches:
                break
            if self._has_ended:
                if self._error is not None:
                    raise self._error
                return None
            await self._arrived.wait()
        batch = self._batches.popleft()
        self._room.set()
        return batch

    def leave(self) -> None:
        """Nobody takes any more."""
        self._has_left = True
        self._room.set()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._arrived.set)
            except RuntimeError:
                self._has_left = True  # the loop was closed meanwhile
