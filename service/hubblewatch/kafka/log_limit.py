"""Keeps a library that retries without a pause from filling the log."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

DEFAULT_PERIOD_SECONDS = 30.0
_MAX_PLACES = 1_000


@dataclass
class _Spell:
    begin: float
    written: int = 0
    left_out: int = 0


class LogLimit(logging.Filter):
    """Lets ``burst`` records of each line of code pass in a period; the next one says how many not.

    What differs only in its arguments counts as the same, and errors of one line in one count.
    """

    def __init__(
        self,
        burst: int = 3,
        period_seconds: float = DEFAULT_PERIOD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._burst = burst
        self._period_seconds = period_seconds
        self._clock = clock
        self._spells: dict[tuple[str, int], _Spell] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` is written; the first of a period tells what was left out."""
        now = self._clock()
        place = (record.pathname, record.lineno)
        spell = self._spells.get(place)
        if spell is None or now - spell.begin >= self._period_seconds:
            if spell is not None and spell.left_out:
                record.msg = f"{record.getMessage()} ({spell.left_out} more like this)"
                record.args = ()
            if len(self._spells) >= _MAX_PLACES:
                self._spells.clear()
            spell = self._spells[place] = _Spell(now)
        if spell.written >= self._burst:
            spell.left_out += 1
            return False
        spell.written += 1
        return True


def limit_logs(libraries: Iterable[str] = ("aiokafka",), limit: LogLimit | None = None) -> None:
    """Put ``limit`` (default: a new one) on every logger of the ``libraries``, which are imported.

    A logger's filter does not hold for its children's records, therefore each gets it. Calling this
    again adds only what is new.
    """
    limit = limit or LogLimit()
    known = list(logging.root.manager.loggerDict)
    for library in libraries:
        names = [name for name in known if name == library or name.startswith(f"{library}.")]
        for name in {library, *names}:
            logger = logging.getLogger(name)
            if not any(isinstance(present, LogLimit) for present in logger.filters):
                logger.addFilter(limit)
