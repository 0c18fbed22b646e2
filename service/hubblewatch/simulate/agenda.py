"""Puts the events of many connections in time order, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from hubblewatch.simulate.clock import SECOND
from hubblewatch.simulate.events.line import Event

HORIZON_NS = 4 * SECOND
"""How far ahead of the present a connection's events are rendered."""


class Agenda:
    """Events to come, in buckets of one second.

    What a connection will show later than the horizon stays in its iterator, so memory depends
    on what is alive, not on the recording's length.
    """

    def __init__(self, start_ns: int) -> None:
        self._second = start_ns // SECOND
        self._events: dict[int, list[Event]] = {}
        self._rest: dict[int, list[tuple[Event, Iterator[Event]]]] = {}

    def add(self, event: Event) -> None:
        """Takes one event; one from the past comes out with the present second."""
        second = max(event[0] // SECOND, self._second)
        bucket = self._events.get(second)
        if bucket is None:
            self._events[second] = [event]
        else:
            bucket.append(event)

    def follow(self, events: Iterator[Event], now_ns: int) -> None:
        """Takes a connection's events, those behind the horizon as they come near."""
        horizon = now_ns + HORIZON_NS
        for event in events:
            if event[0] > horizon:
                second = event[0] // SECOND
                self._rest.setdefault(second, []).append((event, events))
                return
            self.add(event)

    def until(self, time_ns: int) -> Iterator[Event]:
        """Events of all whole seconds before `time_ns`, in time order, each once."""
        last = time_ns // SECOND
        while self._second < last:
            yield from self._close(self._second)

    def remaining(self) -> Iterator[Event]:
        """Everything that is left, however late."""
        while self._events or self._rest:
            yield from self._close(self._second)

    def _close(self, second: int) -> list[Event]:
        for event, rest in self._rest.pop(second, ()):
            self.add(event)
            self.follow(rest, second * SECOND)
        events = self._events.pop(second, [])
        self._second = second + 1
        events.sort()
        return events
