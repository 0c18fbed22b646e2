"""The way from the nodes to the recording."""

from __future__ import annotations

from collections.abc import Iterator

from hubblewatch.simulate.agenda import Agenda
from hubblewatch.simulate.clock import SECOND
from hubblewatch.simulate.disturbances import Disturbance, Repeated, Shuffle
from hubblewatch.simulate.events.control import heartbeat
from hubblewatch.simulate.events.line import Event
from hubblewatch.simulate.randomness import stream
from hubblewatch.simulate.settings import SimulationConfig

_WATERMARK_LAG_NS = 2 * SECOND


class Delivery:
    """What the settings and the scenarios do to the lines on their way, and the heartbeats."""

    def __init__(self, config: SimulationConfig, disturbances: list[Disturbance]) -> None:
        self._start_ns = config.start_ns
        self._end_ns = config.end_ns
        self._heartbeats = config.heartbeats
        self._disturbances = list(disturbances)
        if config.duplicate:
            rng = stream(config.seed, "duplicates")
            self._disturbances.append(
                Repeated(self._start_ns, self._end_ns, 1.0, rng, within_ns=2 * SECOND)
            )
        disorder_ns = int(config.disorder_seconds * SECOND)
        if disorder_ns:
            self._disturbances.append(Shuffle(disorder_ns, stream(config.seed, "disorder")))
        self._lag_ns = disorder_ns + _WATERMARK_LAG_NS
        self._sequence = 0

    def lines(self, events: Iterator[Event]) -> Iterator[str]:
        """Lines in the order in which they arrive; `events` come in time order."""
        if not self._disturbances and not self._heartbeats:
            for _, _, line in events:
                yield line
            return
        agenda = Agenda(self._start_ns)
        beat_ns = self._start_ns + SECOND
        for event in events:
            while beat_ns <= event[0]:
                yield from self._beat(agenda, beat_ns)
                beat_ns += SECOND
            for arrival_ns, (_, node, line) in self._through(event):
                agenda.add((arrival_ns, node, line))
        while beat_ns <= self._end_ns:
            yield from self._beat(agenda, beat_ns)
            beat_ns += SECOND
        self._take_notices(agenda, beat_ns)
        for _, _, line in agenda.remaining():
            yield line

    def _through(self, event: Event) -> list[tuple[int, Event]]:
        copies = [(event[0], event)]
        for disturbance in self._disturbances:
            copies = [
                copy
                for arrival_ns, known in copies
                for copy in disturbance.deliver(arrival_ns, known)
            ]
        return copies

    def _beat(self, agenda: Agenda, beat_ns: int) -> Iterator[str]:
        self._take_notices(agenda, beat_ns)
        for _, _, line in agenda.until(beat_ns):
            yield line
        if not self._heartbeats:
            return
        if any(disturbance.silences(beat_ns) for disturbance in self._disturbances):
            self._sequence = 0
            return
        self._sequence += 1
        yield heartbeat(self._sequence, max(self._start_ns, beat_ns - self._lag_ns), beat_ns)

    def _take_notices(self, agenda: Agenda, until_ns: int) -> None:
        for disturbance in self._disturbances:
            for notice in disturbance.notices(until_ns):
                agenda.add(notice)
