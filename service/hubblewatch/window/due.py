"""Which windows close when event time moves on."""

from __future__ import annotations

from collections.abc import Collection, Iterator

MAX_EMPTY_WINDOWS = 60
"""A gap longer than this is a pause of the recording, not an hour of silence to be judged."""


def due_windows(
    closed_through: int, before: int, open_windows: Collection[int], is_first: bool
) -> Iterator[int]:
    """Give the numbers of the windows to close, in order: those before ``before``.

    ``closed_through`` is the last one closed. Empty windows between others count too, unless they
    are a pause; those before the first window that holds anything (``is_first``) do not.
    """
    pending = sorted({number for number in open_windows if closed_through < number < before})
    following = closed_through + 1
    if is_first:
        if not pending:
            return
        following = pending[0]
    for number in (*pending, before):
        if number - following <= MAX_EMPTY_WINDOWS:
            yield from range(following, number)
        if number < before:
            yield number
        following = number + 1
