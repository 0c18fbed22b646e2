"""Where an exporter's lines come from."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import Recording

MAX_QUEUED_BATCHES = 8
"""Batches read ahead from what cannot be waited for without a thread."""

POLL_SECONDS = 0.25


class Source(Protocol):
    """Gives decoded lines, batch after batch."""

    @property
    def is_live(self) -> bool:
        """Whether time goes on by the clock while nothing comes."""
        ...

    @property
    def complete_through_ns(self) -> int:
        """Event time up to which a live source has given all there is; 0 while that is unknown."""
        ...

    def batches(self) -> AsyncIterator[list[Line]]:
        """Give lines in their order, until there are no more."""
        ...


class RecordingSource:
    """Recordings, merged by time. What they hold has happened: their end is the end of the stream.

    Files are read in the event loop, since handing each batch over from a thread costs as much as
    decoding it; a pipe, which may be silent for long, is read by a thread.
    """

    is_live = False
    complete_through_ns = 0

    def __init__(
        self, recordings: Sequence[Recording], on_reject: Callable[[Reject], None]
    ) -> None:
        self._recordings = recordings
        self._on_reject = on_reject

    async def batches(self) -> AsyncIterator[list[Line]]:
        """Give lines in their order, until there are no more."""
        if all(recording.is_rereadable for recording in self._recordings):
            for batch in in_time_order(self._recordings, self._on_reject):
                yield batch
                await asyncio.sleep(0)
            return
        async for batch in _from_thread(lambda: in_time_order(self._recordings, self._on_reject)):
            yield batch


async def _from_thread(read: Callable[[], Iterator[list[Line]]]) -> AsyncIterator[list[Line]]:
    """Run ``read`` in a thread that may be left behind in the middle of a read."""
    loop = asyncio.get_running_loop()
    batches: queue.Queue[list[Line] | BaseException | None] = queue.Queue(MAX_QUEUED_BATCHES)
    arrived = asyncio.Event()
    left = threading.Event()

    def hand_over(found: list[Line] | BaseException | None) -> None:
        while not left.is_set():
            try:
                batches.put(found, timeout=POLL_SECONDS)
                loop.call_soon_threadsafe(arrived.set)
            except queue.Full:
                continue
            except RuntimeError:  # the loop is closed
                return
            return

    def work() -> None:
        try:
            for batch in read():
                hand_over(batch)
                if left.is_set():
                    return
        except Exception as error:  # noqa: BLE001 # raised again where the batches are awaited
            hand_over(error)
        else:
            hand_over(None)

    # A daemon: a read from a silent pipe cannot be interrupted.
    threading.Thread(target=work, name="recording", daemon=True).start()
    try:
        while True:
            try:
                found = batches.get_nowait()
            except queue.Empty:
                arrived.clear()
                if batches.empty():
                    await arrived.wait()
                continue
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found
            await asyncio.sleep(0)
    finally:
        left.set()
