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
from hubblewatch.attempt.intake import Counts, Intake
from hubblewatch.attempt.peer import Peers
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.base import Detector
from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Line, LostEvents
from hubblewatch.flow.timestamp import TimestampError, parse_ns
from hubblewatch.incident.incidents import Incidents
from hubblewatch.incident.suppressions import Suppressions
from hubblewatch.window.closing import Closing
from hubblewatch.window.due import due_windows
from hubblewatch.window.jump_guard import JumpGuard
from hubblewatch.window.tally import Tally
from hubblewatch.window.watermark import Watermark

_LOSS_NOTICED_LATE_SECONDS = 2
"""Hubble reports a loss up to so long after it happened; both windows are then incomplete."""

MAX_NODES = 10_000
"""Nodes held as unavailable."""

_FAR = 1 << 60


class PipelineSettings(Struct, frozen=True):
    """``size``, ``lateness``, ``settle``, ``idle`` in whole seconds."""

    cluster: str = "default"
    size: int = 60
    lateness: int = 10
    settle: int = 3
    idle: int = 120
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
    ``exporters`` what their heartbeats had said by then (sequence, watermark).
    """

    closed_through: int = NEVER
    exporters: dict[str, tuple[int, int]] = field(default_factory=dict)


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
            AssemblySettings(settings.size, settings.settle, settings.idle), self._reject_time
        )
        self._proxied: dict[int, set[tuple[str, int]]] = {}
        self._gaps: dict[int, int] = {}
        self._census: dict[int, dict[str, int]] = {}
        self._jumps = JumpGuard(on_reject)
        self._late_before = 0

    @property
    def counts(self) -> Counts:
        """Totals of what arrived."""
        return self._assembly.counts

    @property
    def peers(self) -> Peers:
        """The parties known."""
        return self._assembly.peers

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

    def place(self) -> Resume:
        """Give what is needed to begin again at the present place of the stream."""
        return Resume(self._assembly.closed_through, self.watermark.exporters())

    def resume(self, resume: Resume, closed_through: int) -> None:
        """Prepare to read the stream again from the place that ``resume`` was taken at.

        Windows up to ``closed_through`` are rebuilt but neither judged nor given out again.
        """
        self._assembly.closed_through = resume.closed_through
        self.silent_through = closed_through
        self.watermark.resume(resume.exporters)
        if resume.exporters:
            self._assembly.wake = _FAR

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
        self._admit(self._jumps.release(), closed)
        if self._assembly.windows:
            self._close_until(max(self._assembly.windows) + 1, closed)
        return closed

    def _wake(self, line: Line, closed: list[Closed]) -> None:
        """A flow that may close windows: move the watermark, then count it."""
        second = self._assembly.second_of(line)
        self._admit(self._jumps.admit(line, second, self.watermark.newest), closed)

    def _admit(self, lines: list[Line], closed: list[Closed]) -> None:
        for line in lines:
            self._advance(self._assembly.second_of(line), closed)
            self._assembly.take(iter((line,)))

    def _advance(self, second: int, closed: list[Closed]) -> None:
        assembly, size = self._assembly, self.settings.size
        self.watermark.reach(second)
        if assembly.closed_through == NEVER:
            assembly.closed_through = (second - self.settings.lateness) // size - 1
        self._close_due(closed)
        if self.watermark.has_heartbeats:
            assembly.wake = _FAR
            return
        assembly.wake = (
            (assembly.closed_through + 2) * size + self.settings.settle + self.settings.lateness
        )

    def _close_due(self, closed: list[Closed]) -> None:
        watermark = self.watermark.current()
        if watermark is not None and self._assembly.closed_through != NEVER:
            self._close_until((watermark - self.settings.settle) // self.settings.size, closed)

    def _control(self, line: Line, closed: list[Closed]) -> None:
        if line.heartbeat is not None:
            try:
                missing = self.watermark.beat(line.heartbeat)
            except TimestampError as error:
                self._reject(RejectReason.TIME, line, str(error))
                return
            self._assembly.wake = _FAR
            watermark = self.watermark.current()
            assert watermark is not None
            if self._assembly.closed_through == NEVER:
                self._assembly.closed_through = watermark // self.settings.size - 1
            if missing:
                number = watermark // self.settings.size
                self._gaps[number] = self._gaps.get(number, 0) + missing
            self._close_due(closed)
        elif line.lost_events is not None:
            self._lose(line, line.lost_events)
        elif line.node_status is not None:
            unavailable = set(self.memory.stream.unavailable)
            if line.node_status.state_change in ("NODE_CONNECTED", 1):
                unavailable.difference_update(line.node_status.node_names)
            elif len(unavailable) < MAX_NODES:
                unavailable.update(line.node_status.node_names)
            self.memory.stream.unavailable = sorted(unavailable)
        elif line.census is not None or line.proxied is not None:
            self._note(line)

    def _note(self, line: Line) -> None:
        """What the exporter knows of all partitions together."""
        size = self.settings.size
        try:
            if line.census is not None:
                number = parse_ns(line.census.start) // 1_000_000_000 // size
                if number > self._assembly.closed_through:
                    self._census[number] = line.census.nodes
            elif line.proxied is not None:
                number = self._assembly.second_of(line) // size
                if number > self._assembly.closed_through:
                    target = (line.proxied.address, line.proxied.port)
                    self._assembly.window(number).proxied.add(target)
        except TimestampError as error:
            self._reject(RejectReason.TIME, line, str(error))

    def _lose(self, line: Line, lost: LostEvents) -> None:
        try:
            count = int(lost.num_events_lost)
            second = self._assembly.second_of(line)
        except (TimestampError, ValueError) as error:
            self._reject(RejectReason.TIME, line, str(error))
            return
        size = self.settings.size
        if count < 0 or second // size <= self._assembly.closed_through:
            return
        self._assembly.counts.lost[str(lost.source)] += count
        key = (line.node_name, str(lost.source), line.time)
        for number in {second // size, (second - _LOSS_NOTICED_LATE_SECONDS) // size}:
            if number > self._assembly.closed_through:
                self._assembly.window(number).losses[key] = count

    def _close_until(self, number: int, closed: list[Closed]) -> None:
        """Close all windows before ``number``, empty ones between included."""
        assembly = self._assembly
        for following in due_windows(
            assembly.closed_through,
            number,
            (*assembly.windows, *self._census),
            self.memory.stream.closings == 0,
        ):
            intake = assembly.windows.get(following) or Intake(following)
            self._proxied[following] = intake.proxied
            horizon = following - self.lookback_windows
            self._proxied = {n: p for n, p in self._proxied.items() if n >= horizon}
            if following > self.silent_through:
                closed.append(self._close(following, intake))
            self._gaps.pop(following, None)
            self._census.pop(following, None)
            assembly.closed_through = following
            assembly.forget(following)
        assembly.closed_through = max(assembly.closed_through, number - 1)

    def _close(self, number: int, intake: Intake) -> Closed:
        settings = self.settings
        tally = Tally(
            intake,
            settings.size,
            settings.settle,
            settings.cluster,
            set().union(*self._proxied.values()),
        )
        stream = self.memory.stream
        if stream.first < 0:
            stream.first = number
        gap = min(1.0, self._gaps.get(number, 0) / settings.size)
        events = self._census.get(number) or dict(intake.nodes)
        completeness = stream.nodes.judge(
            events, sum(intake.losses.values()), gap, frozenset(stream.unavailable)
        )
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
            self.counts.late - self._late_before,
        )
        for (node, source, _), count in intake.losses.items():
            closing.lost[node, source] = closing.lost.get((node, source), 0) + count
        self._late_before = self.counts.late
        self.memory.meet(closing)
        findings = [
            finding
            for detector in self._detectors
            for finding in detector.inspect(closing, self.memory)
            if finding.subject.namespace or settings.judges_source
        ]
        self.memory.learn(closing, (finding.subject for finding in findings))
        alerts = self.incidents.update(closing, findings, self.suppressions)
        return Closed(closing, alerts)

    def _reject_time(self, line: Line, error: TimestampError) -> None:
        self._reject(RejectReason.TIME, line, str(error))

    def _reject(self, reason: RejectReason, line: Line, detail: str) -> None:
        node = (line.flow.node_name if line.flow is not None else "") or line.node_name
        self._on_reject(Reject(reason, f"node {node or 'unknown'}", detail))
