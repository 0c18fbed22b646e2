"""The garbage collector around the hot loop."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG_OBJECTS = 200_000
"""Container objects made between two looks at the young generation; some hundred batches."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Let the collector of cycles look seldom, and never at what exists already.

    Decoding makes hundreds of containers a batch, and the tables of connections hold many; none of
    them can form a cycle, so reference counts free them all and the collector's visits find
    nothing. The decoded types are kept out of its sight already, so what remains to be saved is one
    or two percent of a replay, and the pauses of full collections over large tables. It is not
    switched off: libraries (and exceptions' tracebacks) do make cycles.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
