from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.source.hubble.observer import Observer

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.schema import Line
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble import live
from hubblewatch.source.hubble.counts import SourceCounts
from hubblewatch.source.hubble.live import LiveSource
from hubblewatch.source.hubble.stream import HubbleStream


class Scripted:
    """Stands for a HubbleStream that has its batches already."""

    complete_through_ns = 7

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.counts = SourceCounts()
        self.given = 0
        self.closed = threading.Event()
        self._count = count
        self._error = error

    def close(self) -> None:
        self.closed.set()

    def batches(self) -> Iterator[list[Line]]:
        for number in range(self._count):
            if self.closed.is_set():
                return
            self.given = number + 1
            yield [Line(node_name=str(number))]
        if self._error is not None:
            raise self._error


def source_of(stream: Any) -> LiveSource:
    return LiveSource(stream)


async def test_all_batches_come_in_their_order() -> None:
    batches = [batch async for batch in source_of(Scripted(500)).batches()]
    assert [line.node_name for batch in batches for line in batch] == list(map(str, range(500)))


async def test_the_streams_error_is_raised_after_what_came_before_it() -> None:
    batches = source_of(Scripted(3, ConfigurationError("wrong filter"))).batches()
    taken = [await anext(batches) for _ in range(3)]
    assert len(taken) == 3
    with pytest.raises(ConfigurationError, match="wrong filter"):
        await anext(batches)


async def test_a_slow_reader_holds_the_stream_back() -> None:
    stream = Scripted(1_000)
    batches = source_of(stream).batches()
    async for _ in batches:
        break
    await asyncio.sleep(0.2)
    assert stream.given <= live.MAX_BATCHES + 2
    await batches.aclose()
    assert stream.closed.is_set()


async def test_leaving_in_the_middle_ends_the_thread() -> None:
    batches = source_of(Scripted(1_000)).batches()
    async for _ in batches:
        break
    await batches.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name == "hubble-source"]


async def test_flows_of_a_live_hubble_come_into_the_loop() -> None:
    observer = Observer().start()
    observer.add("before")
    settings = HubbleSettings(address=observer.address)
    source = LiveSource(HubbleStream(settings, lambda reject: pytest.fail(str(reject))))
    assert source.is_live
    uuids: list[str] = []
    async for batch in source.batches():
        uuids += [line.flow.uuid for line in batch if line.flow is not None]
        if observer.requests and len(observer.ring) == 1:
            observer.add("a", "b")
        if len(uuids) == 2:
            source.close()
    assert uuids == ["a", "b"]
    assert source.counts.flows == 2
    assert source.complete_through_ns > 0
    observer.stop()
