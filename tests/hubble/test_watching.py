"""The watch with Hubble's own servers: by the clock of the day, over a restart."""

from __future__ import annotations

import os
import threading
import time

import pytest

from hubblewatch.settings import HubbleSettings, Settings, WindowSettings
from hubblewatch.settings.forest import ModelSettings
from hubblewatch.watch.run import HubbleWatch
from hubblewatch.watch.store import About, StateFile

WINDOW = WindowSettings(
    size_seconds=5, lateness_seconds=2, settle_seconds=1, connection_idle_seconds=10
)


class Kept:
    """Keeps the closings."""

    def __init__(self):
        self.closed = []

    def observe(self, closed):
        self.closed.append(closed.closing)

    def tick(self):
        pass


def watched(address, path, windows):
    """Watch until so many windows have closed; give them and what the source counted."""
    settings = Settings(
        hubble=HubbleSettings(address=address), window=WINDOW, model=ModelSettings(enabled=False)
    )
    kept = Kept()
    with StateFile(path, About("default", 5)) as state:
        watch = HubbleWatch(settings, state)
        running = threading.Thread(target=watch.run, args=([kept],))
        running.start()
        end = time.monotonic() + 60
        while len(kept.closed) < windows and time.monotonic() < end:
            time.sleep(0.1)
        watch.stop()
        running.join(15)
    assert not running.is_alive()
    assert len(kept.closed) >= windows
    return kept.closed, watch


@pytest.mark.skipif(
    os.environ.get("HUBBLEWATCH_REQUIRE_PACE") != "1",
    reason="two seconds of lateness want a machine that is not busy: HUBBLEWATCH_REQUIRE_PACE=1",
)
def test_a_restart_loses_no_window_and_no_flow_that_hubble_still_has(
    start_agent, start_relay, tmp_path
):
    agents = [start_agent(node, tcp=True, rate=50) for node in ("worker-1", "worker-2")]
    relay = start_relay(*agents)
    path = tmp_path / "state"
    first, _ = watched(relay.address, path, 3)
    time.sleep(6)
    second, watch = watched(relay.address, path, 3)
    numbers = [closing.number for closing in (*first, *second)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert watch.pipeline.counts.late == 0
    assert watch.stream.counts.gaps == 0
    # The first window began before the watch.
    for closing in (*first, *second)[1:]:
        assert closing.completeness.share > 0.99
        assert all(count > 200 for count in closing.events.values())
        assert len(closing.events) == 2
