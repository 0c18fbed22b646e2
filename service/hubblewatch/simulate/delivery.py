"""The way from the nodes to the recording: losses, delays, repetitions, shuffling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from hubblewatch.simulate.agenda import Agenda
from hubblewatch.simulate.clock import SECOND
from hubblewatch.simulate.events.control import heartbeat
from hubblewatch.simulate.events.line import Event
from hubblewatch.simulate.randomness import stream
from hubblewatch.simulate.settings import SimulationConfig


class Disturbance:
    """Something on the way that holds lines back, repeats or loses them."""

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        """When the event arrives, perhaps never, perhaps more than once."""
        raise NotImplementedError

    def notices(self, until_ns: int) -> list[Event]:  # noqa: ARG002  most have none
        """Control lines that are due before `until_ns`, each given once."""
        return []


@dataclass
class Shuffle(Disturbance):
    """Each line arrives up to `bound_ns` late, uniformly."""

    bound_ns: int
    rng: Random

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        return [(arrival_ns + int(self.rng.random() * self.bound_ns), event)]


@dataclass
class Duplicate(Disturbance):
    """Each line comes twice, the second time soon after the first."""

    rng: Random

    def deliver(self, arrival_ns: int, event: Event) -> list[tuple[int, Event]]:
        return [(arrival_ns, event), (arrival_ns + int(self.rng.random() * 2 * SECOND), event)]


def delivered(
    events: Iterator[Event],
    disturbances: list[Disturbance],
    start_ns: int,
    end_ns: int,
    heartbeat_lag_ns: int | None,
) -> Iterator[str]:
    """Lines in the order in which they arrive.

    With `heartbeat_lag_ns` a heartbeat is written each second, whose watermark lags by that much.
    """
    if not disturbances and heartbeat_lag_ns is None:
        for _, _, line in events:
            yield line
        return
    agenda = Agenda(start_ns)
    sequence = 0
    beat_ns = start_ns + SECOND
    for event in events:
        now_ns = event[0]
        while beat_ns <= now_ns:
            for _, _, line in _advance(agenda, disturbances, beat_ns):
                yield line
            if heartbeat_lag_ns is not None:
                sequence += 1
                yield heartbeat(sequence, max(start_ns, beat_ns - heartbeat_lag_ns), beat_ns)
            beat_ns += SECOND
        for arrival_ns, copy in _through(disturbances, event):
            agenda.add((arrival_ns, copy[1], copy[2]))
    for _, _, line in _advance(agenda, disturbances, end_ns + 3_600 * SECOND):
        yield line
    for _, _, line in agenda.remaining():
        yield line
    if heartbeat_lag_ns is not None:
        yield heartbeat(sequence + 1, beat_ns, beat_ns)


def _through(disturbances: list[Disturbance], event: Event) -> list[tuple[int, Event]]:
    copies = [(event[0], event)]
    for disturbance in disturbances:
        copies = [
            outcome
            for arrival_ns, copy in copies
            for outcome in disturbance.deliver(arrival_ns, copy)
        ]
    return copies


def _advance(agenda: Agenda, disturbances: list[Disturbance], until_ns: int) -> Iterator[Event]:
    for disturbance in disturbances:
        for notice in disturbance.notices(until_ns):
            agenda.add(notice)
    yield from agenda.until(until_ns)


class Delivery:
    """What the settings and the scenarios do to the lines on their way."""

    def __init__(self, config: SimulationConfig, disturbances: list[Disturbance]) -> None:
        self._config = config
        self._steps = list(disturbances)
        if config.duplicate:
            self._steps.append(Duplicate(stream(config.seed, "duplicates")))
        self._disorder_ns = int(config.disorder_seconds * SECOND)
        if self._disorder_ns:
            self._steps.append(Shuffle(self._disorder_ns, stream(config.seed, "disorder")))

    def lines(self, events: Iterator[Event]) -> Iterator[str]:
        """Lines in the order in which they arrive."""
        lag_ns = self._disorder_ns + 2 * SECOND if self._config.heartbeats else None
        return delivered(events, self._steps, self._config.start_ns, self._config.end_ns, lag_ns)
