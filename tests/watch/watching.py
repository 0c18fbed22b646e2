"""A watch of a Hubble that is served here, on a clock that the test moves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

from tests.builders import START
from tests.connections import tcp
from tests.refusals import denied
from tests.source.hubble.honest import encoded
from tests.source.hubble.observer import Observer

from hubblewatch.flow.timestamp import parse_ns
from hubblewatch.pipeline import Closed
from hubblewatch.settings import HubbleSettings, Settings
from hubblewatch.settings.forest import ModelSettings
from hubblewatch.watch.run import HubbleWatch, WatchObserver
from hubblewatch.watch.store import About, StateFile

SECOND_NS = 1_000_000_000
ABOUT = About("default", 60)


class Clock:
    """Seconds after START, as nanoseconds of the day; ``ahead`` is by how much it is wrong."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at
        self.ahead = 0.0

    def __call__(self) -> int:
        return round((START + self.at + self.ahead) * SECOND_NS)


def served(observer: Observer, lines: Iterable[bytes], until: float = 1e9) -> int:
    """Put lines that are newer than the ring into it, in order of time; give the newest second."""
    timed = sorted((parse_ns(json.loads(line)["time"]), encoded(line)) for line in lines)
    newest = observer.ring[-1][0] if observer.ring else 0
    for time_ns, message in timed:
        if newest < time_ns <= (START + until) * SECOND_NS:
            observer.ring.append((time_ns, message))
            observer.seen += 1
    return (observer.ring[-1][0] if observer.ring else 0) // SECOND_NS


def quiet(*minutes: int) -> list[bytes]:
    """A few connections that work in each of these minutes."""
    return [
        line
        for minute in minutes
        for second in range(0, 60, 2)
        for line in tcp(at=60 * minute + second, from_port=30_000 + 60 * minute + second)
    ]


def burst(minute: int, count: int = 40) -> list[bytes]:
    """So many denied attempts of one workload within a minute."""
    return [
        line
        for number in range(count)
        for line in denied(at=60 * minute + 5 + number, from_port=42_000 + 100 * minute + number)
    ]


def settings_for(observer: Observer) -> Settings:
    hubble = HubbleSettings(
        address=observer.address, backoff_seconds=0.05, max_backoff_seconds=0.2, check_seconds=0.2
    )
    return Settings(hubble=hubble, model=ModelSettings(enabled=False))


class Watching:
    """Runs a watch in a thread while in here; ``closed`` are its closings."""

    def __init__(
        self,
        observer: Observer,
        clock: Clock,
        state: Path | None = None,
        observers: Callable[[HubbleWatch], Sequence[WatchObserver]] = lambda _: (),
    ) -> None:
        self.closed: list[Closed] = []
        self.error: BaseException | None = None
        self._state = None if state is None else StateFile(state, ABOUT)
        self.watch = HubbleWatch(settings_for(observer), self._state, clock, pace=lambda: clock.at)
        self._observers = [self, *observers(self.watch)]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def observe(self, closed: Closed) -> None:
        self.closed.append(closed)

    def tick(self) -> None:
        pass

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.watch.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self._state is not None:
            self._state.close()
        assert self.error is None

    @property
    def windows(self) -> list[int]:
        """Minutes after START that were closed and judged."""
        return [(closed.closing.start - START) // 60 for closed in self.closed]

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Detector and transition of all alert records."""
        return [(a.detector, a.transition.value) for closed in self.closed for a in closed.alerts]

    def until(self, is_so: Callable[[], bool], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert self.error is None, self.error
            assert time.monotonic() < end, (self.windows, self.watch.stream.counts)
            time.sleep(0.02)

    def _run(self) -> None:
        try:
            self.watch.run(self._observers)
        except Exception as error:  # noqa: BLE001 # shown where the test waits
            self.error = error
