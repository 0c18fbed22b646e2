"""The live source at work in a thread, and what it has brought so far."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest

from hubblewatch.flow.schema import Line
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.stream import HubbleStream


class Listening:
    """Collects all lines of a stream. It must not reject anything."""

    def __init__(self, address: str, **settings: Any) -> None:
        quickly = {"backoff_seconds": 0.2, "max_backoff_seconds": 2.0}
        self.stream = HubbleStream(
            HubbleSettings(address=address, **(quickly | settings)),
            lambda reject: pytest.fail(str(reject)),
        )
        self.lines: list[Line] = []
        self.goes_on = threading.Event()
        """While it is clear, nothing is taken from the stream."""
        self.goes_on.set()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Listening:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stream.close()
        self.goes_on.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert self.error is None

    def wait_until(self, is_so: Callable[[], bool], seconds: float, what: str = "") -> float:
        """Wait until something is so, and give the seconds that it took."""
        begin = time.monotonic()
        while not is_so():
            assert self.error is None, self.error
            waited = time.monotonic() - begin
            assert waited < seconds, f"not within {seconds} s: {what}; {self.stream.counts}"
            time.sleep(0.05)
        return time.monotonic() - begin

    @property
    def flows(self) -> list[Line]:
        """The flows among the lines."""
        return [line for line in list(self.lines) if line.flow is not None]

    @property
    def uuids(self) -> list[str]:
        """Of all flows, in order."""
        return [line.flow.uuid for line in list(self.lines) if line.flow is not None]

    @property
    def losses(self) -> list[Line]:
        """The losses among the lines."""
        return [line for line in list(self.lines) if line.lost_events is not None]

    def numbers(self, node: str) -> list[int]:
        """The numbers that a node's own flows bear, in order of their coming."""
        return [
            int(uuid.rpartition("-")[2]) for uuid in self.uuids if uuid.rpartition("-")[0] == node
        ]

    def states(self, node: str) -> list[str]:
        """The states told of a node, in order."""
        return [
            str(line.node_status.state_change)
            for line in list(self.lines)
            if line.node_status is not None and node in line.node_status.node_names
        ]

    def lost(self) -> Counter[str]:
        """Events told as lost, by source."""
        found: Counter[str] = Counter()
        for line in self.losses:
            assert line.lost_events is not None
            found[str(line.lost_events.source)] += int(line.lost_events.num_events_lost)
        return found

    def _listen(self) -> None:
        try:
            for batch in self.stream.batches():
                self.lines += batch
                self.goes_on.wait(60)
        except Exception as error:  # noqa: BLE001 -- shown by the test that waits
            self.error = error
