"""How far event time has come, said to every partition: heartbeats, and censuses before them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from msgspec import Struct

from hubblewatch.attempt.connection import NEVER
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Census, Heartbeat, Line
from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.window.completeness import NodeWatch, windows_of_loss
from hubblewatch.window.due import MAX_EMPTY_WINDOWS, due_windows
from hubblewatch.window.jump_guard import CONFIRMATIONS, MAX_JUMP_SECONDS, JumpGuard

MAX_NODES = 10_000
"""Nodes in one census; events of further ones are left out of it."""

MAX_WINDOWS = 1_000
"""Windows that losses may hold open; flows hold open two or three."""


class PulseSettings(Struct, frozen=True):
    """``size``, ``lateness`` and ``settle`` are the windows', in whole seconds.

    ``exporter`` is the name under which heartbeats are sent; two that run at once need two.
    ``goes_on`` says that this run has what came since an earlier one of that name.
    """

    exporter: str
    size: int = 60
    lateness: int = 10
    settle: int = 3
    goes_on: bool = False


class Pulse:
    """Follows event time as a pipeline that reads the whole stream would.

    With each new second it sends a heartbeat, and before the one that closes a window that window's
    census, to ``send``, which brings them to every partition. The pipelines of the partitions close
    on these what the one would have closed on the flows. All times are whole epoch seconds.
    """

    def __init__(
        self,
        settings: PulseSettings,
        send: Callable[[Line], None],
        on_reject: Callable[[Reject], None],
    ) -> None:
        self.settings = settings
        self.newest = NEVER
        """Event time has come so far."""
        self.wake = NEVER
        """From this event time on a flow must be judged before it goes on."""
        self.closed_through = NEVER
        self.late = 0
        """Late flows since the last census, counted by who routes them."""
        self.heartbeats = self.censuses = 0
        self._before_first = int(settings.goes_on)
        self._send = send
        self._jumps = JumpGuard(on_reject)
        self._foremost: int | None = None
        self._habits = NodeWatch()
        self._open: dict[int, defaultdict[str, int]] = {}
        self.answered: set[int] = set()
        """Open windows that hold a reply, noted by who routes the flows."""
        self._is_pausing = False
        self._nobody: defaultdict[str, int] = defaultdict(int)

    @property
    def is_holding(self) -> bool:
        """Whether flows are held until others tell whether their time can be believed."""
        return self._jumps.is_holding

    def judge(self, line: Line, second: int) -> list[Line]:
        """Give the flows to go on with instead of ``line``; ``reach`` each one's time first."""
        admitted = self._jumps.admit(line, second, self._foremost, len(self._habits.nodes))
        self._set_wake()
        return admitted

    def outlast(self) -> list[Line]:
        """Give the flows to go on with that were held before anything told how late it is."""
        admitted = [] if self._foremost is None else self._jumps.outlast(self._foremost)
        self._set_wake()
        return admitted

    def release(self) -> list[Line]:
        """Give the flows still held at the end of the stream; ``reach`` each one's time first."""
        return self._jumps.release(self._foremost)

    def reach(self, second: int) -> None:
        """Event time has come to ``second``, by a flow that was judged or by the clock."""
        jumped = self._foremost is not None and second > self._foremost + MAX_JUMP_SECONDS
        self._foremost = max(second, self._foremost or 0)
        if second > self.newest:
            # Who reads heartbeats has a guard too, and believes a jump that is repeated.
            self.advance(second, CONFIRMATIONS if jumped else 1)

    def advance(self, second: int, times: int = 1) -> None:
        """Event time has come to a new second: say so, before the flow that shows it."""
        settings = self.settings
        self.newest = second
        watermark = second - settings.lateness
        if self.closed_through == NEVER:
            self.closed_through = watermark // settings.size - 1
            for stale in [number for number in self._open if number <= self.closed_through]:
                del self._open[stale]
        self._close_until((watermark - settings.settle) // settings.size)
        self._beat(watermark, times)
        self._set_wake()

    def nodes(self, number: int) -> defaultdict[str, int]:
        """Give the events by node of an open window, to count in; of a closed one, a waste heap."""
        if number <= self.closed_through:
            self._nobody.clear()
            return self._nobody
        nodes = self._open.get(number)
        if nodes is None:
            nodes = self._open[number] = defaultdict(int)
        elif len(nodes) > MAX_NODES:
            for name in list(nodes)[MAX_NODES:]:
                del nodes[name]
        return nodes

    def lose(self, second: int) -> None:
        """A loss opens the windows that it makes incomplete, as a flow does."""
        size = self.settings.size
        if second // size > self.closed_through and len(self._open) < MAX_WINDOWS:
            for number in windows_of_loss(second, size):
                if number > self.closed_through:
                    self._open.setdefault(number, defaultdict(int))

    def is_ahead(self, second: int) -> bool:
        """Tell whether a time is too far ahead of the stream to be believed by itself."""
        return self._foremost is not None and second > self._foremost + MAX_JUMP_SECONDS

    def finish(self) -> None:
        """The stream has ended: let every window close that holds anything."""
        last = max(self._open, default=NEVER)
        if self.newest != NEVER and last > self.closed_through:
            self._close_until(last + 1)
            self._beat((last + 1) * self.settings.size + self.settings.settle)

    def hand_over(self) -> None:
        """The exporter ends and the stream does not: tell what was counted of open windows.

        The next run, which closes them, has seen only what came later.
        """
        for number in sorted(self._open):
            if self._open[number]:
                self._count_out(number, dict(self._open[number]))

    def _close_until(self, before: int) -> None:
        """Send the censuses of the windows that the next heartbeat closes."""
        if before <= self.closed_through + 1:
            return
        for number in due_windows(
            self.closed_through,
            before,
            self._open.keys(),
            self.censuses == 0 or self._is_pausing,
        ):
            self._is_pausing = False
            self.closed_through = number
            nodes = dict(self._open.pop(number, {}))
            self._habits.learn(nodes)
            self.censuses += 1
            self._count_out(number, nodes)
        self.answered = {number for number in self.answered if number >= before}
        if before - 1 - self.closed_through > MAX_EMPTY_WINDOWS:
            self._is_pausing = True
        self.closed_through = before - 1

    def _count_out(self, number: int, nodes: dict[str, int]) -> None:
        start = format_seconds(number * self.settings.size)
        census, self.late = Census(start, nodes, self.late, number in self.answered), 0
        self._send(Line(census=census, time=format_seconds(self.newest)))

    def _beat(self, watermark: int, times: int = 1) -> None:
        self.heartbeats += 1
        sequence = self._before_first + self.heartbeats
        promise = Heartbeat(self.settings.exporter, sequence, format_seconds(watermark))
        for _ in range(times):
            self._send(Line(heartbeat=promise, time=format_seconds(self.newest)))

    def _set_wake(self) -> None:
        if self._jumps.is_holding or self.closed_through == NEVER:
            self.wake = NEVER
        else:
            ends_at = (self.closed_through + 2) * self.settings.size
            self.wake = ends_at + self.settings.settle + self.settings.lateness
