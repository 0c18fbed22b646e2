"""What ``hubblewatch watch`` does: opens state and server, watches until told to stop."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from hubblewatch.settings import Settings
from hubblewatch.watch.alert_lines import AlertLines
from hubblewatch.watch.run import HubbleWatch
from hubblewatch.watch.serving import ServedWatch
from hubblewatch.watch.store import About, StateFile

_log = logging.getLogger(__name__)


def run_watch(settings: Settings, state: Path | None, as_json: bool) -> None:
    """Watch until SIGTERM or Ctrl-C; raises ConfigurationError before anything is read."""
    about = About(settings.cluster, settings.window.size_seconds)
    with ExitStack() as stack:
        store = None if state is None else stack.enter_context(StateFile(state, about))
        watch = HubbleWatch(settings, store)
        served = ServedWatch(watch, settings.serve)
        stack.enter_context(_stopped_by_signals(watch.stop))
        stack.enter_context(served.served())
        _log.info("serving http://%s", served.address)
        if store is None:
            _log.info("without --state nothing is remembered over a restart")
        watch.run([AlertLines(sys.stdout.buffer, as_json), served])
        _log.info("stopped")


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While in here, a first signal asks to stop; a second one does not wait for it."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
