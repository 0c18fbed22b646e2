"""What a simulation is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hubblewatch.simulate.clock import parse_rfc3339

VERSION = 1
"""Raised when the same seed no longer gives the same connections."""

DEFAULT_START = "2026-03-02T08:00:00Z"


class Aggregation(StrEnum):
    """Cilium's monitor aggregation."""

    NONE = "none"
    MEDIUM = "medium"


class Vantage(StrEnum):
    """Which of a connection's nodes report it."""

    BOTH = "both"
    SOURCE = "source"
    DESTINATION = "destination"


class Size(StrEnum):
    """Preset ranges of a cluster's dimensions."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    def is_at_least(self, other: Size) -> bool:
        """Tell whether clusters of this size have all that those of the other have."""
        order = list(Size)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Ranges:
    """Bounds, both included, from which a seed draws a cluster; `rate` is connections a second."""

    nodes: tuple[int, int]
    namespaces: tuple[int, int]
    workloads: tuple[int, int]
    rate: tuple[int, int]


SIZES: dict[Size, Ranges] = {
    Size.SMALL: Ranges((2, 3), (4, 6), (10, 18), (3, 6)),
    Size.MEDIUM: Ranges((4, 6), (7, 12), (22, 42), (12, 25)),
    Size.LARGE: Ranges((8, 12), (13, 20), (50, 80), (40, 80)),
}


class ScenarioError(ValueError):
    """A `--scenario` that cannot be understood; the message says what is wrong."""


@dataclass(frozen=True)
class ScenarioSpec:
    """One scenario as asked for: `name[:at=MIN][:for=MIN][:intensity=X]`.

    `at_minutes` None means at 40 % of the recording, `for_minutes` None the scenario's own
    default; `intensity` 1.0 is the default strength that the scenario documents.
    """

    name: str
    at_minutes: float | None = None
    for_minutes: float | None = None
    intensity: float = 1.0

    @classmethod
    def parse(cls, text: str) -> ScenarioSpec:
        """Raises ScenarioError for an unknown option or a number that is none."""
        name, *options = text.split(":")
        numbers: dict[str, float] = {}
        for option in options:
            key, separator, value = option.partition("=")
            if key not in ("at", "for", "intensity") or not separator:
                raise ScenarioError(
                    f"{text!r}: {option!r} is not one of at=MIN, for=MIN, intensity=X"
                )
            try:
                numbers[key] = float(value)
            except ValueError as error:
                raise ScenarioError(f"{text!r}: {value!r} is not a number") from error
            if not 0 <= numbers[key] < 1e6:
                raise ScenarioError(f"{text!r}: {key} must be between 0 and 1000000")
        return cls(name, numbers.get("at"), numbers.get("for"), numbers.get("intensity", 1.0))


@dataclass(frozen=True)
class SimulationConfig:
    """A simulation's settings; the same settings give the same bytes.

    `seed`, `minutes`, `start`, `size`, the overrides and `scenarios` decide what happens, and
    with it the truth. `aggregation`, `vantage`, `duplicate`, `disorder_seconds` and `heartbeats`
    decide only how it is observed.
    """

    seed: int = 1
    minutes: float = 30.0
    start: str = DEFAULT_START
    scenarios: tuple[ScenarioSpec, ...] = field(default=())
    size: Size = Size.MEDIUM
    nodes: int | None = None
    namespaces: int | None = None
    workloads: int | None = None
    rate: float | None = None
    aggregation: Aggregation = Aggregation.MEDIUM
    vantage: Vantage = Vantage.BOTH
    duplicate: bool = False
    disorder_seconds: float = 0.0
    heartbeats: bool = False

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise ValueError("minutes must be above 0")
        if self.disorder_seconds < 0:
            raise ValueError("disorder must not be negative")
        for name, low, high in (
            ("nodes", 2, 64),
            ("namespaces", 4, 60),
            ("workloads", 8, 500),
            ("rate", 0.1, 5_000),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be between {low} and {high}")
        parse_rfc3339(self.start)

    @property
    def start_ns(self) -> int:
        """Begin of the recording, nanoseconds since 1970."""
        return parse_rfc3339(self.start)

    @property
    def end_ns(self) -> int:
        """End of the recording, nanoseconds since 1970."""
        return self.start_ns + int(self.minutes * 60e9)
