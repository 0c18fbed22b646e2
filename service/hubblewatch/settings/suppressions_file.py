"""The file of suppressions, read again when it changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from hubblewatch.errors import ConfigurationError
from hubblewatch.incident.suppression_list import parse_suppressions
from hubblewatch.incident.suppressions import Suppressions

CHECK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class SuppressionsFile:
    """Gives the suppressions as the file has them now.

    ``clock`` gives seconds that only grow; the file is looked at once a second at most. A new list
    that is wrong is logged and counted in ``failures``, and the former one stays in force; the
    first one must be right, else ConfigurationError is raised.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.failures = 0
        self._path = path
        self._clock = clock
        self._checked = clock()
        self._mark = self._look()
        if self._mark is None:
            raise ConfigurationError(f"suppressions: {path} is no file that can be read")
        self._suppressions = self._read()

    def current(self) -> Suppressions:
        """Give the suppressions in force; never raises."""
        now = self._clock()
        if now - self._checked >= CHECK_SECONDS:
            self._checked = now
            mark = self._look()
            if mark != self._mark:
                self._mark = mark
                self._replace()
        return self._suppressions

    def _replace(self) -> None:
        try:
            suppressions = self._read()
        except ConfigurationError as error:
            self.failures += 1
            _log.error("the suppressions stay as they were: %s", error)
            return
        self._suppressions = suppressions
        _log.info("read %d suppressions from %s", len(suppressions.entries), self._path)

    def _read(self) -> Suppressions:
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"suppressions: {self._path}: {error}") from None
        return parse_suppressions(text, str(self._path))

    def _look(self) -> tuple[int, int, int, int] | None:
        """What changes when the file does, a ConfigMap's swapped link included."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
