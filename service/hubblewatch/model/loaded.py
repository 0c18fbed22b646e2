"""A model as the detector uses it; without the libraries that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from hubblewatch.model.forest import Forest


class LoadedModel(Struct, frozen=True):
    """A forest with the threshold in force. ``shadow``: its alerts are only on trial."""

    name: str
    version: str
    forest: Forest
    threshold: float
    shadow: bool = False

    @property
    def label(self) -> str:
        """Name and version, as alerts show them."""
        return f"{self.name}@{self.version}"


class ModelSource(Protocol):
    """Where a detector finds the model in force.

    ``is_configured`` says whether there may be one: then subjects are measured. ``model`` is asked
    for once there is something to score, for reading the trees takes a second.
    """

    @property
    def is_configured(self) -> bool:
        """Tell whether there may be a model."""
        ...

    @property
    def model(self) -> LoadedModel | None:
        """Give the model in force, None while there is none."""
        ...


class NoModel:
    """No model is configured."""

    is_configured = False

    @property
    def model(self) -> LoadedModel | None:
        """There is none."""
        return None


class FixedModel:
    """One model for as long as the process lasts."""

    is_configured = True

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    @property
    def model(self) -> LoadedModel | None:
        """Give it."""
        return self._model
