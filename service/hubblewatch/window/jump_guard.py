"""Event times far ahead of the stream: held back until the stream follows, or refutes them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Line

MAX_JUMP_SECONDS = 3_600
"""An event time so far ahead of the stream is believed only when the stream follows."""

CONFIRMATIONS = 10
"""Lines in a row that must agree with a jump."""

CONFIRMATIONS_OF_ONE_NODE = 1_000
"""The same where all are of one node and the stream has had several: a shipper of one node sends
hundreds of lines in a row, and that node's clock may be the one that is wrong."""

MAX_UNCONFIRMED_SECONDS = 86_400
"""At the end of a stream a single line is believed to be so much later, but no more."""


class JumpGuard:
    """Keeps one wrong clock from closing every window of today.

    It is shown the flows that may close a window. One that is too far ahead is held; when enough
    lines in a row agree, from one to the next within an hour, the stream has really jumped (a
    recording with a pause) and they are let through; the first that is not ahead refutes those
    held, which go to ``on_reject``. The first line of a stream is held until a second one agrees
    with it. Where none agree and yet all come in their order, they are few and far between.
    """

    def __init__(self, on_reject: Callable[[Reject], None]) -> None:
        self._on_reject = on_reject
        self._held: list[tuple[int, Line]] = []
        self._held_from: int | None = None

    @property
    def is_holding(self) -> bool:
        """Whether the next flow decides about others."""
        return bool(self._held)

    def admit(self, line: Line, second: int, newest: int | None, nodes: int = 1) -> list[Line]:
        """Give the flows to go on with, in order, instead of ``line``; none while it is held.

        ``second`` is its event time, ``newest`` the foremost time that was let through, ``nodes``
        how many nodes the stream has had.
        """
        if newest is not None and second <= newest + MAX_JUMP_SECONDS:
            begin = self.outlast(newest)
            self._refute()
            return [*begin, line]
        if not self._held:
            self._held_from = newest
        self._held.append((second, line))
        low, high = _chain([held for held, _ in self._held], second)
        agreeing = [held for held in self._held if low <= held[0] <= high]
        if not _is_confirmed(agreeing, newest is None, nodes):
            if len(self._held) < CONFIRMATIONS_OF_ONE_NODE:
                return []
            agreeing = self._held if _are_in_order(self._held) else []
        self._held = [held for held in self._held if held not in agreeing]
        self._refute()
        return [held for _, held in agreeing]

    def outlast(self, newest: int) -> list[Line]:
        """The stream, without a flow, has come to ``newest``: refute what was held for an hour.

        Gives flows to go on with that were held as the first ones, now that there is a time to
        judge them by; they refute the others.
        """
        if not self._held:
            return []
        if self._held_from is not None:
            if newest > self._held_from + MAX_JUMP_SECONDS:
                self._refute()
            return []
        self._held_from = newest
        latest = newest + MAX_JUMP_SECONDS
        begin = [line for second, line in self._held if second <= latest]
        if begin:
            self._held = [held for held in self._held if held[0] > latest]
            self._refute()
        return begin

    def release(self, newest: int | None) -> list[Line]:
        """Give what is held: at the end of a stream nothing refutes it any more."""
        held = sorted(self._held, key=lambda one: one[0])
        self._held = []
        believed = []
        for second, line in held:
            is_alone = len({_stamp(other) for _, other in held}) == 1
            if newest is None or second - newest <= MAX_UNCONFIRMED_SECONDS or not is_alone:
                believed.append(line)
                newest = second
            else:
                self._held.append((second, line))
        self._refute()
        return believed

    def _refute(self) -> None:
        held, self._held = self._held, []
        for _, line in held:
            self._on_reject(ahead(line))


def ahead(line: Line) -> Reject:
    """Give the reject of a line whose time is far ahead of its stream."""
    node = (line.flow.node_name if line.flow is not None else "") or line.node_name
    detail = f"event time {_stamp(line)} is over {MAX_JUMP_SECONDS} s ahead"
    return Reject(RejectReason.AHEAD, f"node {node or 'unknown'}", detail)


def _chain(seconds: list[int], second: int) -> tuple[int, int]:
    """Give the least and the most of the times that are linked to ``second``, one of them.

    Each is within an hour of the next. To agree on one hour would be too much to ask for of a
    stream that has ten flows in two.
    """
    times = sorted(set(seconds))
    low = high = times.index(second)
    while low and times[low] - times[low - 1] <= MAX_JUMP_SECONDS:
        low -= 1
    while high + 1 < len(times) and times[high + 1] - times[high] <= MAX_JUMP_SECONDS:
        high += 1
    return times[low], times[high]


def _are_in_order(held: list[tuple[int, Line]]) -> bool:
    return all(one[0] <= other[0] for one, other in pairwise(held))


def _is_confirmed(agreeing: list[tuple[int, Line]], is_first: bool, nodes: int) -> bool:
    if is_first:
        # The same line twice is no second opinion.
        stamps = {_stamp(line) for _, line in agreeing}
        return len(stamps) > 1 or len(agreeing) >= CONFIRMATIONS
    if len(agreeing) < CONFIRMATIONS:
        return False
    heard = {line.flow.node_name or line.node_name for _, line in agreeing if line.flow}
    return nodes < 2 or len(heard) > 1 or len(agreeing) >= CONFIRMATIONS_OF_ONE_NODE


def _stamp(line: Line) -> str:
    return (line.flow.time if line.flow is not None else "") or line.time
