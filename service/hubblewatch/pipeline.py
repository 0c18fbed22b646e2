"""From decoded lines to alerts: the whole of detection, without I/O, clock or framework.

The Faust worker, ``watch`` and ``replay`` all drive this one class; they differ in where lines come
from and where closings go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field

from hubblewatch.alert.record import AlertRecord
from hubblewatch.attempt.assembly import Assembly, AssemblySettings
from hubblewatch.attempt.connection import NEVER
from hubblewatch.attempt.intake import CONNECTION_TABLE, Counts, Intake, NodeState
from hubblewatch.attempt.peer import Peers
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.node_states import take_events, take_states
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.finding import Severity
from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Census, Heartbeat, Line, LostEvents, NodeStatus
from hubblewatch.flow.timestamp import TimestampError, parse_ns, parse_seconds
from hubblewatch.incident.incidents import Incidents
from hubblewatch.incident.suppressions import Suppressions
from hubblewatch.window.census import joined
from hubblewatch.window.closing import Closing
from hubblewatch.window.completeness import loss_source, windows_of_loss
from hubblewatch.window.due import MAX_EMPTY_WINDOWS, due_windows
from hubblewatch.window.gaps import Gaps
from hubblewatch.window.jump_guard import CONFIRMATIONS, MAX_JUMP_SECONDS, JumpGuard, ahead
from hubblewatch.window.tally import Surroundings, Tally
from hubblewatch.window.watermark import Watermark

MAX_NODE_STATES = 20_000
"""Node states held of one window."""

MAX_LOSSES = 10_000
"""Reports of loss told apart in one window; beyond, they add up without a look at repeated ones."""

_CONNECTED = frozenset({"NODE_CONNECTED", 1})
_AWAY = frozenset({"NODE_UNAVAILABLE", "NODE_GONE", "NODE_ERROR", 2, 3, 4})
_UNSIGNED_64 = 1 << 64
_MAX_LOST = 1 << 40
"""Events of one report of loss; beyond, the number is a broken one, and means a large loss."""


class PipelineSettings(Struct, frozen=True):
    """``size``, ``lateness``, ``settle``, ``idle`` in whole seconds; all as in WindowSettings."""

    cluster: str = "default"
    size: int = 60
    lateness: int = 10
    settle: int = 3
    idle: int = 120
    max_connections: int = 1_000_000
    completeness_floor: float = 0.8
    judges_source: bool = True
    """Whether findings about the stream itself are made here: of several partitions, in one."""


class Closed(Struct, frozen=True):
    """One closing and the alert records it made."""

    closing: Closing
    alerts: list[AlertRecord]


class Resume(Struct, frozen=True):
    """Where reading the stream can begin again so that nothing counts otherwise than before.

    ``closed_through`` is the number of the last window closed when that place was first reached,
    ``exporters`` what their heartbeats had said by then (sequence, watermark), ``newest`` the event
    time that was believed by then: what comes next is judged by it.
    """

    closed_through: int = NEVER
    exporters: dict[str, tuple[int, int]] = field(default_factory=dict)
    newest: int | None = None


class Pipeline:
    """Detection over one stream of lines (a recording, or one partition of the flows)."""

    def __init__(
        self,
        settings: PipelineSettings,
        detectors: Sequence[Detector],
        parents: dict[str, frozenset[str]],
        on_reject: Callable[[Reject], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.suppressions = Suppressions()
        self.memory = Memory()
        self.incidents = Incidents(settings.cluster, parents)
        self.watermark = Watermark(settings.lateness)
        self.silent_through = NEVER
        """Windows up to this number were closed before a restart: rebuilt, not judged again."""
        self._detectors = detectors
        self._on_reject = on_reject
        self._assembly = Assembly(
            AssemblySettings(
                settings.size, settings.settle, settings.idle, settings.max_connections
            ),
            self._reject_time,
        )
        self._proxied: dict[int, set[tuple[str, int]]] = {}
        self._gaps = Gaps(settings.size)
        self._census: dict[int, Census] = {}
        self._jumps = JumpGuard(on_reject)
        self._beats_ahead = 0
        self._late_before = 0
        self._is_pausing = False

    @property
    def counts(self) -> Counts:
        """Totals of what arrived."""
        return self._assembly.counts

    @property
    def peers(self) -> Peers:
        """The parties known."""
        return self._assembly.peers

    @property
    def newest(self) -> int | None:
        """Highest event time seen, epoch seconds; None before the first flow."""
        newest = self._assembly.latest
        return None if newest == NEVER else newest

    @property
    def connections(self) -> int:
        """Connections held in memory."""
        return len(self._assembly)

    @property
    def closed_through(self) -> int:
        """Number of the last closed window; flows of it and before are late."""
        return self._assembly.closed_through

    @property
    def open_windows(self) -> Iterable[int]:
        """Numbers of the windows that are open."""
        return self._assembly.windows.keys()

    @property
    def lookback_windows(self) -> int:
        """How many closed windows must be read again to know which connections were under way."""
        return -(-self.settings.idle // self.settings.size)

    @property
    def is_holding(self) -> bool:
        """Whether flows are held back that the stream may still confirm: not counted, not lost."""
        return self._jumps.is_holding

    def place(self) -> Resume:
        """Give what is needed to begin again at the present place of the stream."""
        watermark = self.watermark
        return Resume(self._assembly.closed_through, watermark.exporters(), watermark.newest)

    def resume(self, resume: Resume, closed_through: int) -> None:
        """Prepare to read the stream again from the place that ``resume`` was taken at.

        Windows up to ``closed_through`` are rebuilt but neither judged nor given out again.
        """
        self._assembly.closed_through = resume.closed_through
        self.silent_through = closed_through
        self.watermark.resume(resume.exporters, resume.newest)
        self._set_wake()

    def quiet_until(self, second: int) -> list[Closed]:
        """The stream is known to hold nothing older than ``second``: close what that allows."""
        closed: list[Closed] = []
        if self._assembly.closed_through != NEVER and not self.watermark.has_heartbeats:
            self.watermark.reach(second)
            self._close_due(closed)
        return closed

    def take(self, lines: Iterable[Line]) -> list[Closed]:
        """Count a batch of lines; give what closed on the way."""
        closed: list[Closed] = []
        iterator = iter(lines)
        while (line := self._assembly.take(iterator)) is not None:
            if line.flow is None:
                self._control(line, closed)
            else:
                self._wake(line, closed)
        return closed

    def finish(self) -> list[Closed]:
        """End of the stream: believe an unrefuted jump, and close all that is open."""
        closed: list[Closed] = []
        self._admit(self._jumps.release(self.watermark.foremost), closed)
        if self._assembly.windows:
            self._close_until(max(self._assembly.windows) + 1, closed)
        return closed

    def _wake(self, line: Line, closed: list[Closed]) -> None:
        """A flow that may close windows, if its time can be believed."""
        nodes = self.memory.stream.nodes.nodes.keys() | self._heard()
        second = self._assembly.second_of(line)
        lines = self._jumps.admit(line, second, self.watermark.foremost, len(nodes))
        self._admit(lines, closed)
        self._set_wake()

    def _heard(self) -> set[str]:
        return {node for intake in self._assembly.windows.values() for node in intake.nodes}

    def _admit(self, lines: list[Line], closed: list[Closed]) -> None:
        """Move the watermark by each flow, close what is due, then count it."""
        for line in lines:
            second = self._assembly.second_of(line)
            self.watermark.reach(second)
            if self._assembly.closed_through == NEVER:
                self._begin((second - self.settings.lateness) // self.settings.size)
            self._close_due(closed)
            self._set_wake()
            self._assembly.take(iter((line,)))

    def _begin(self, number: int) -> None:
        """The stream begins with this window; what came before is nobody's."""
        self._assembly.closed_through = number - 1
        states: set[NodeState] = set()
        for stale in [known for known in self._assembly.windows if known < number]:
            states |= self._assembly.windows.pop(stale).states
        if states:
            self._assembly.window(number).states |= states

    def _set_wake(self) -> None:
        """Say from what event time on the assembly must ask before it counts a flow."""
        assembly, settings = self._assembly, self.settings
        foremost = self.watermark.foremost
        if self._jumps.is_holding or assembly.closed_through == NEVER or foremost is None:
            assembly.wake = NEVER
        elif self.watermark.has_heartbeats:
            assembly.wake = foremost + MAX_JUMP_SECONDS + 1
        else:
            ends_at = (assembly.closed_through + 2) * settings.size
            assembly.wake = ends_at + settings.settle + settings.lateness

    def _close_due(self, closed: list[Closed]) -> None:
        watermark = self.watermark.current()
        if watermark is not None and self._assembly.closed_through != NEVER:
            self._close_until((watermark - self.settings.settle) // self.settings.size, closed)

    def _control(self, line: Line, closed: list[Closed]) -> None:
        if line.heartbeat is not None:
            self._beat(line, line.heartbeat, closed)
        elif line.lost_events is not None:
            self._lose(line, line.lost_events)
        elif line.node_status is not None:
            self._take_status(line, line.node_status)
        elif line.census is not None or line.proxied is not None:
            self._note(line)

    def _beat(self, line: Line, heartbeat: Heartbeat, closed: list[Closed]) -> None:
        try:
            if self._is_ahead(parse_seconds(heartbeat.watermark)):
                self._beats_ahead += 1
                if self._beats_ahead < CONFIRMATIONS:
                    self._on_reject(ahead(line))
                    return
            self._beats_ahead = 0
            gap = self.watermark.beat(heartbeat)
        except TimestampError as error:
            self._reject(RejectReason.TIME, line, str(error))
            return
        watermark = self.watermark.current()
        assert watermark is not None
        if self._assembly.closed_through == NEVER:
            self._begin(watermark // self.settings.size)
        if gap is not None:
            self._gaps.add(gap, self.watermark.exporter_count, self._assembly.closed_through)
        if self._jumps.is_holding and self.watermark.foremost is not None:
            self._admit(self._jumps.outlast(self.watermark.foremost), closed)
        self._close_due(closed)
        self._set_wake()

    def _is_ahead(self, second: int) -> bool:
        foremost = self.watermark.foremost
        return foremost is not None and second > foremost + MAX_JUMP_SECONDS

    def _note(self, line: Line) -> None:
        """What the exporter knows of all partitions together."""
        try:
            if line.census is not None:
                second = parse_seconds(line.census.start)
            else:
                second = self._assembly.second_of(line)
        except TimestampError as error:
            self._reject(RejectReason.TIME, line, str(error))
            return
        if self._is_ahead(second):
            self._on_reject(ahead(line))
            return
        number = second // self.settings.size
        if number <= self._assembly.closed_through:
            return
        if line.census is not None:
            self._census[number] = joined(self._census.get(number), line.census)
        elif line.proxied is not None:
            self._assembly.note_proxied(number, (line.proxied.address, line.proxied.port))

    def _take_status(self, line: Line, status: NodeStatus) -> None:
        """Keep a node's state with its window: it holds from then on, whenever it came."""
        is_connected = status.state_change in _CONNECTED
        if not is_connected and status.state_change not in _AWAY:
            return
        try:
            at = parse_ns(line.time)
        except TimestampError as error:
            self._reject(RejectReason.TIME, line, str(error))
            return
        second = at // 1_000_000_000
        if self._is_ahead(second):
            self._on_reject(ahead(line))
            return
        # What is told late still holds for what is open.
        number = max(second // self.settings.size, self._assembly.closed_through + 1)
        states = self._assembly.window(number).states
        room = max(0, MAX_NODE_STATES - len(states))
        states.update((at, is_connected, name) for name in status.node_names[:room])

    def _lose(self, line: Line, lost: LostEvents) -> None:
        stamp = line.time or lost.last or lost.first
        try:
            count = int(lost.num_events_lost)
            second = parse_seconds(stamp)
        except (TimestampError, ValueError) as error:
            self._reject(RejectReason.TIME, line, str(error))
            return
        if self._is_ahead(second):
            self._on_reject(ahead(line))
            return
        size = self.settings.size
        count = min(count, _MAX_LOST) if count < _UNSIGNED_64 else -1
        if count < 0 or second // size <= self._assembly.closed_through:
            return
        source = loss_source(lost.source)
        key = (line.node_name, source, stamp)
        if key not in self._assembly.window(second // size).losses:
            self._assembly.counts.lost[source] += count
        for number in windows_of_loss(second, size):
            if number > self._assembly.closed_through:
                losses = self._assembly.window(number).losses
                if key in losses or len(losses) < MAX_LOSSES:
                    losses[key] = count
                else:
                    # Before Cilium 1.20 every lost flow is a report of its own.
                    rest = (line.node_name, source, "")
                    losses[rest] = losses.get(rest, 0) + count

    def _close_until(self, number: int, closed: list[Closed]) -> None:
        """Close all windows before ``number``, empty ones between included."""
        assembly = self._assembly
        for following in due_windows(
            assembly.closed_through,
            number,
            (*assembly.windows, *self._census),
            self.memory.stream.closings == 0 or self._is_pausing,
        ):
            self._is_pausing = False
            intake = assembly.windows.get(following) or Intake(following)
            self._proxied[following] = intake.proxied
            horizon = following - self.lookback_windows
            self._proxied = {n: p for n, p in self._proxied.items() if n >= horizon}
            if following > self.silent_through:
                closed.append(self._close(following, intake))
            else:
                self._late_before = self.counts.late
            self._gaps.forget(following)
            self._census.pop(following, None)
            assembly.closed_through = following
            assembly.forget(following)
        if number - 1 - assembly.closed_through > MAX_EMPTY_WINDOWS:
            self._is_pausing = True
        assembly.closed_through = max(assembly.closed_through, number - 1)

    def _close(self, number: int, intake: Intake) -> Closed:
        settings = self.settings
        stream = self.memory.stream
        if stream.first < 0:
            stream.first = number
        census = self._census.get(number)
        around = Surroundings(
            settings.size,
            settings.settle,
            settings.cluster,
            set().union(*self._proxied.values()),
            census.answers if census is not None else intake.answers,
            number - stream.first < self.lookback_windows,
        )
        tally = Tally(intake, around)
        events = census.nodes if census is not None else dict(intake.nodes)
        # An exporter that was restarted leaves its last window without a census. The share of one
        # partition then says nothing of nodes; where it has no share either, nobody was there.
        is_share = census is None and self.watermark.has_heartbeats and bool(events)
        take_states(stream, intake.states, number)
        completeness = stream.nodes.judge(
            events,
            sum(intake.losses.values()),
            self._gaps.share(number),
            frozenset(stream.unavailable),
            is_share=is_share,
            refused=intake.refused,
            taken=sum(intake.nodes.values()),
        )
        if not is_share:
            take_events(stream, events, number)
        share = completeness.share
        windows = [tally.windows[subject] for subject in sorted(tally.windows)]
        for window in windows:
            window.completeness = share
        closing = Closing(
            number,
            number * settings.size,
            (number + 1) * settings.size,
            settings.cluster,
            windows,
            completeness,
            share >= settings.completeness_floor,
            number - stream.first,
            dict(tally.totals),
            events,
            census.late if census is not None else self.counts.late - self._late_before,
        )
        for (node, source, _), count in intake.losses.items():
            closing.lost[node, source] = closing.lost.get((node, source), 0) + count
        if intake.refused:
            closing.lost["", CONNECTION_TABLE] = intake.refused
        closing.has_all_events = not is_share
        self._late_before = self.counts.late
        self.peers.close(number, self._assembly.connections())
        self.memory.meet(closing)
        findings = [
            finding
            for detector in self._detectors
            for finding in detector.inspect(closing, self.memory)
            if finding.subject.namespace or settings.judges_source
        ]
        # What is on trial must not change what the others see, and a note is no suspicion.
        suspects = {
            finding.subject
            for finding in findings
            if not finding.shadow and finding.severity is not Severity.INFO
        }
        self.memory.learn(closing, suspects)
        alerts = self.incidents.update(closing, findings, self.suppressions)
        alerted = self.incidents.alerted_subjects()
        for window in windows:
            window.is_complete = closing.is_complete
            window.silent_nodes = len(completeness.silent_nodes)
            window.is_suspicious = window.subject in suspects
            window.is_alerted = window.subject in alerted
        return Closed(closing, alerts)

    def _reject_time(self, line: Line, error: TimestampError) -> None:
        self._reject(RejectReason.TIME, line, str(error))

    def _reject(self, reason: RejectReason, line: Line, detail: str) -> None:
        node = (line.flow.node_name if line.flow is not None else "") or line.node_name
        self._on_reject(Reject(reason, f"node {node or 'unknown'}", detail))
