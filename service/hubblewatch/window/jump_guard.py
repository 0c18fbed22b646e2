"""Event times far ahead of the stream: held back until the stream follows, or refutes them."""

from __future__ import annotations

from collections.abc import Callable

from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Line

MAX_JUMP_SECONDS = 3_600
"""An event time so far ahead of the stream is believed only when the stream follows."""

CONFIRMATIONS = 10
"""Lines in a row that must agree with a jump."""


class JumpGuard:
    """Keeps one wrong clock from closing every window of today.

    It is shown the flows that may close a window. One that is too far ahead is held; when as many
    as ``CONFIRMATIONS`` are, the stream has really jumped (a recording with a pause) and all are
    let through; the first that is not ahead refutes those held, which go to ``on_reject``.
    """

    def __init__(self, on_reject: Callable[[Reject], None]) -> None:
        self._on_reject = on_reject
        self._held: list[Line] = []

    def admit(self, line: Line, second: int, newest: int | None) -> list[Line]:
        """Give the flows to go on with, in order, instead of ``line``; none while it is held.

        ``second`` is its event time, ``newest`` that of the last flow that was let through.
        """
        if newest is None or second <= newest + MAX_JUMP_SECONDS:
            if self._held:
                self._refute()
            return [line]
        self._held.append(line)
        return self.release() if len(self._held) >= CONFIRMATIONS else []

    def release(self) -> list[Line]:
        """Give what is held: at the end of a stream nothing refutes it any more."""
        held, self._held = self._held, []
        return held

    def _refute(self) -> None:
        for line in self.release():
            assert line.flow is not None
            node = line.flow.node_name or line.node_name
            self._on_reject(
                Reject(
                    RejectReason.AHEAD,
                    f"node {node or 'unknown'}",
                    f"event time {line.flow.time or line.time} is over {MAX_JUMP_SECONDS} s ahead",
                )
            )
