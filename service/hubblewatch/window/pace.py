"""How fast a clock may move event time on where no flow shows it."""

from __future__ import annotations

from collections.abc import Callable

SLACK_SECONDS = 5
"""A clock that is set right by so much is nothing to hold back."""


class Pace:
    """Keeps a clock that is set wrong from closing the windows of hours to come.

    A quiet cluster's windows close by the clock of this machine. It is believed as far as it goes
    like ``steady`` (seconds, never set) since the start, or since a flow that showed a later time:
    one that jumped ahead for a moment would else make all flows late for as long as it jumped, and
    those who read heartbeats could not go back. ``wall_clock`` gives seconds since the epoch.
    """

    def __init__(self, wall_clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._steady = steady
        self._ahead = wall_clock() - steady()
        """What must be added to the steady clock: event time is no later than that."""

    def bounded(self, second: int, newest: int | None) -> int:
        """Give ``second`` of the clock, or how far event time can have come if that is less.

        ``newest`` is the event time of the newest flow that is believed, None before the first.
        """
        now = self._steady()
        if newest is not None:
            self._ahead = max(self._ahead, newest - now)
        return min(second, int(now + self._ahead) + SLACK_SECONDS)
