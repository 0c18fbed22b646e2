"""Which partition each line goes to, and the control lines that make every partition whole.

A partition sees a part of the traffic. What it must know of the rest travels with its part:
heartbeats and censuses (see ``pulse``), losses, node states, and which responders the L7 proxy
speaks to. With these, the partitions together close the same windows as one pipeline that reads
everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from hubblewatch.attempt.connection import NEVER
from hubblewatch.attempt.event import proxied_responder
from hubblewatch.attempt.opener import source_opened
from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Flow, Line, LostEvents, Responder
from hubblewatch.flow.timestamp import SecondsCache, TimestampError, format_seconds, parse_seconds
from hubblewatch.kafka.partition import REMEMBERED, partition_of
from hubblewatch.kafka.pulse import Pulse, PulseSettings
from hubblewatch.window.jump_guard import ahead

NOBODYS = 0
"""Partition of flows between parties that are both no pods: they count as activity of a node."""

MAX_RESPONDERS = 100_000
"""Responders of one window remembered as announced; beyond, they are announced again."""


class RouterCounts(Struct):
    """What passed the router since its start."""

    flows: int = 0
    late: int = 0
    """Flows whose window was closed already; they are sent on, and counted where they arrive."""
    nobodys: int = 0
    proxied: int = 0
    controls_dropped: int = 0
    """Heartbeats, censuses and the like of another exporter, which hold for its stream only."""


class Router:
    """Routes one stream of decoded lines, in order, to ``partitions``. It has no clock of its own.

    ``take`` adds to what ``drain`` gives: for each partition its lines in order. ``on_reject`` gets
    lines whose time is none or cannot be believed.
    """

    def __init__(
        self, partitions: int, settings: PulseSettings, on_reject: Callable[[Reject], None]
    ) -> None:
        self.partitions = partitions
        self.counts = RouterCounts()
        self.pulse = Pulse(settings, self._to_all, on_reject)
        self._on_reject = on_reject
        self._by_namespace = _PartitionByNamespace(partitions)
        self._routed: list[list[Line]] = [[] for _ in range(partitions)]
        self._announced: dict[int, set[tuple[str, int]]] = {}
        self._seconds = SecondsCache()
        self.newest_flow: int | None = None
        """Event time of the newest flow that was believed, about: of the last ones of batches."""

    @property
    def is_holding(self) -> bool:
        """Whether lines were taken that ``drain`` does not give yet: their time is in doubt."""
        return self.pulse.is_holding

    def drain(self) -> list[list[Line]]:
        """Give what was routed since the last call: one list a partition."""
        routed, self._routed = self._routed, [[] for _ in range(self.partitions)]
        return routed

    def take(self, lines: Iterable[Line]) -> None:
        """Route lines in the order in which they came."""
        pulse = self.pulse
        seconds = self._seconds
        by_namespace = self._by_namespace
        routed = self._routed
        size = pulse.settings.size
        newest = pulse.newest
        wake = pulse.wake
        window_start = window_end = 0
        flows = nobodys = late = 0
        is_late = is_answered = False
        number = last = NEVER
        nodes = pulse.nodes(0)
        for line in lines:
            flow = line.flow
            if flow is None:
                self._control(line)
                continue
            stamp = flow.time or line.time
            try:
                second = seconds[stamp[:19]] if stamp[-1:] == "Z" else parse_seconds(stamp)
            except TimestampError as error:
                self._refuse(line, str(error))
                continue
            if second > newest or second >= wake:
                if is_answered:
                    pulse.answered.add(number)
                    is_answered = False
                if second >= wake:
                    self._go_on(pulse.judge(line, second))
                    newest, wake = pulse.newest, pulse.wake
                    window_start = window_end = 0
                    continue
                pulse.advance(second)
                newest = second
            if not window_start <= second < window_end:
                if is_answered:
                    pulse.answered.add(number)
                    is_answered = False
                number = second // size
                window_start = number * size
                window_end = window_start + size
                is_late = number <= pulse.closed_through
                nodes = pulse.nodes(number)
            if is_late:
                late += 1
                pulse.late += 1
            elif flow.is_reply or flow.reply:
                is_answered = True
            flows += 1
            last = second
            nodes[flow.node_name or line.node_name] += 1
            source = flow.source
            destination = flow.destination
            if source is not None and (source.pod_name or source.workloads):
                partition = by_namespace[source.namespace]
                if destination is not None and (destination.pod_name or destination.workloads):
                    other = by_namespace[destination.namespace]
                    if other != partition and not source_opened(flow):
                        partition = other
            elif destination is not None and (destination.pod_name or destination.workloads):
                partition = by_namespace[destination.namespace]
            else:
                partition = NOBODYS
                nobodys += 1
            if flow.trace_observation_point in _TO_PROXY or flow.verdict in _REDIRECTED:
                self._announce(flow, second, partition)
            routed[partition].append(line)
        if is_answered:
            pulse.answered.add(number)
        if flows and (self.newest_flow is None or last > self.newest_flow):
            self.newest_flow = last
        self.counts.flows += flows
        self.counts.nobodys += nobodys
        self.counts.late += late

    def reach(self, second: int) -> None:
        """Event time is known to have come to ``second``, though no flow may show it.

        For live streams, each second: flows older than ``second`` less the lateness will be late.
        """
        if second > self.pulse.newest:
            self.pulse.reach(second)
            if self.is_holding:
                self._go_on(self.pulse.outlast())

    def finish(self, is_last: bool = True) -> None:
        """No more is read; ``is_last`` lets every window that the stream reached close."""
        self._go_on(self.pulse.release())
        if is_last:
            self.pulse.finish()
        else:
            self.pulse.hand_over()

    def _go_on(self, admitted: list[Line]) -> None:
        """Go on with flows whose times may close windows."""
        for line in admitted:
            assert line.flow is not None
            stamp = line.flow.time or line.time
            self.pulse.reach(parse_seconds(stamp))
            self.take((line,))

    def _announce(self, flow: Flow, second: int, partition: int) -> None:
        """Tell the responder's partition that the L7 proxy will speak to it."""
        responder = proxied_responder(flow)
        destination = flow.destination
        number = second // self.pulse.settings.size
        if responder is None or destination is None or number <= self.pulse.closed_through:
            return
        there = self._by_namespace[destination.namespace]
        if there == partition or not (destination.pod_name or destination.workloads):
            return
        announced = self._announced.get(number)
        if announced is None:
            closed = [known for known in self._announced if known <= self.pulse.closed_through]
            for known in closed:
                del self._announced[known]
            announced = self._announced[number] = set()
        if responder in announced:
            return
        if len(announced) >= MAX_RESPONDERS:
            announced.clear()
        announced.add(responder)
        self.counts.proxied += 1
        time = format_seconds(second)
        self._routed[there].append(Line(proxied=Responder(*responder), time=time))

    def _control(self, line: Line) -> None:
        if line.lost_events is not None:
            self._lose(line, line.lost_events)
        elif line.node_status is not None:
            self._to_all(line)
        elif line.heartbeat is not None or line.census is not None or line.proxied is not None:
            self.counts.controls_dropped += 1

    def _lose(self, line: Line, lost: LostEvents) -> None:
        try:
            count = int(lost.num_events_lost)
            second = parse_seconds(line.time or lost.last or lost.first)
        except (TimestampError, ValueError) as error:
            self._refuse(line, str(error))
            return
        if self.pulse.is_ahead(second):
            self._on_reject(ahead(line))
        elif count >= 0:
            self.pulse.lose(second)
            self._to_all(line)

    def _to_all(self, line: Line) -> None:
        for lines in self._routed:
            lines.append(line)

    def _refuse(self, line: Line, detail: str) -> None:
        node = (line.flow.node_name if line.flow is not None else "") or line.node_name
        self._on_reject(Reject(RejectReason.TIME, f"node {node or 'unknown'}", detail))


class _PartitionByNamespace(dict[str, int]):
    """``partition_of`` for the loop that every flow passes: mostly one look-up."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def __missing__(self, namespace: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        partition = self[namespace] = partition_of(namespace, self._partitions)
        return partition


_REDIRECTED = frozenset({"REDIRECTED", 5})
_TO_PROXY = frozenset({"TO_PROXY", 1})
