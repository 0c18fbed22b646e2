"""Ctrl-C and the stop of a container: taken between two batches, never in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Remembers that somebody asked to stop.

    A signal during the counting only sets ``is_asked``; while lines are waited for (a quiet pipe
    would be waited for without end) it raises KeyboardInterrupt, and so does a second one.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.signal = 0
        self._raises = False

    def ask(self) -> None:
        """Ask to stop."""
        self.is_asked = True

    @contextmanager
    def raised_at_once(self) -> Iterator[None]:
        """While in here, a request to stop raises KeyboardInterrupt."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    @contextmanager
    def by_signals(self, *signals: signal.Signals) -> Iterator[None]:
        """While in here, these signals ask to stop. Main thread only."""
        before = {number: signal.signal(number, self._on_signal) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        raises = self._raises or self.is_asked
        self.signal = self.signal or number
        self.ask()
        if raises:
            raise KeyboardInterrupt
