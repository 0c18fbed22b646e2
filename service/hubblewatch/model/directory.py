"""The model in force, read again when its directory changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from hubblewatch.model.loaded import LoadedModel
from hubblewatch.model.manifest import FOREST_FILE, MANIFEST_FILE
from hubblewatch.model.store import Candidate, ModelError, find_model

CHECK_SECONDS = 1.0

_log = logging.getLogger(__name__)

Mark = tuple[tuple[int, int, int, int], ...]


class ModelDirectory:
    """The model in force of a directory, read again when it changes.

    ``clock`` gives seconds that only grow; whoever drives a pipeline calls ``refresh`` between
    batches, and the directory is looked at once a second at most. A model that is refused is
    logged and counted in ``failures``: the former one stays in force, or none, and the rules go on.
    """

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], float],
        *,
        shadow: bool = False,
        alerts_per_day: float | None = None,
    ) -> None:
        self.failures = 0
        self.problem = ""
        self.directory = directory
        self._clock = clock
        self._shadow = shadow
        self._alerts_per_day = alerts_per_day
        self._candidate: Candidate | None = None
        self._model: LoadedModel | None = None
        self._checked = clock()
        self._mark = self._look()
        self._find()

    @property
    def is_configured(self) -> bool:
        """Tell whether there is a model, or one whose trees are still to be read."""
        return self._model is not None or self._candidate is not None

    @property
    def model(self) -> LoadedModel | None:
        """The model in force; its trees are read when it is first asked for. Never raises."""
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            try:
                self._model = candidate.load()
            except ModelError as error:
                self._refuse(error)
            else:
                _log.info("loaded the model %s from %s", self._model.label, self.directory)
        return self._model

    @property
    def described(self) -> tuple[str, str, str] | None:
        """Name, version and mode (active or shadow) of the model in force; None without one."""
        if self._candidate is not None:
            manifest, shadow = self._candidate.manifest, self._candidate.shadow
            return manifest.name, manifest.version, "shadow" if shadow else "active"
        if self._model is not None:
            mode = "shadow" if self._model.shadow else "active"
            return self._model.name, self._model.version, mode
        return None

    def refresh(self) -> None:
        """Take the directory as it is now, where it changed; never raises."""
        now = self._clock()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        mark = self._look()
        if mark != self._mark:
            self._mark = mark
            self._find()

    def _find(self) -> None:
        try:
            self._candidate = find_model(
                self.directory, shadow=self._shadow, alerts_per_day=self._alerts_per_day
            )
        except ModelError as error:
            self._refuse(error)
        else:
            self.problem = ""

    def _refuse(self, error: ModelError) -> None:
        self.failures += 1
        self.problem = str(error)
        stays = "the former model stays" if self._model else "the rules go on without a model"
        _log.error("%s: %s", stays, error)

    def _look(self) -> Mark:
        found = []
        for name in (MANIFEST_FILE, FOREST_FILE):
            try:
                stat = (self.directory / name).stat()
            except OSError:
                continue
            found.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(found)
