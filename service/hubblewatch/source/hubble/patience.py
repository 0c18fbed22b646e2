"""How often it is worth to open a stream again for the sake of one node."""

from __future__ import annotations

FIRST_PATIENCE_SECONDS = 60.0
MAX_PATIENCE_SECONDS = 3_600.0


class Patience:
    """Lets a stream be opened again for the sake of one node, each time after a longer pause.

    Filters may hide all that a node sees, and Relay may really be unable to reach it: then a new
    stream helps nobody.
    """

    def __init__(self) -> None:
        self._waits: dict[str, tuple[float, float]] = {}

    def is_over(self, name: str, now: float) -> bool:
        """Return whether it is worth a try, and if so begin the next pause."""
        until, wait = self._waits.get(name, (0.0, FIRST_PATIENCE_SECONDS / 2))
        if now < until:
            return False
        wait = min(wait * 2, MAX_PATIENCE_SECONDS)
        self._waits[name] = (now + wait, wait)
        return True

    def reset(self, name: str) -> None:
        """The node was heard."""
        self._waits.pop(name, None)
