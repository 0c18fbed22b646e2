"""Builders for tests of the simulator: recordings of tiny clusters, read back from their lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from hubblewatch.simulate import (
    Aggregation,
    Label,
    ScenarioSpec,
    SimulationConfig,
    Size,
    Truth,
    Vantage,
    WindowTruth,
    simulate,
)

Flow = dict[str, Any]


@dataclass
class Recording:
    """Lines as they were written, and the truth about them."""

    lines: list[bytes]
    truth: Truth

    def flows(self) -> Iterator[Flow]:
        """All flows, in the order of the lines."""
        for line in self.lines:
            decoded = msgspec.json.decode(line)
            if "flow" in decoded:
                yield decoded["flow"]

    def truth_text(self) -> str:
        """The truth file."""
        return "\n".join(self.truth.lines())

    def label(self) -> Label:
        """The only scenario's label."""
        (label,) = self.truth.labels
        return label

    def windows_of(self, namespace: str, workload: str, direction: str) -> list[WindowTruth]:
        """One subject's windows in time order."""
        return [
            window
            for window in self.truth.windows
            if window.subject == (namespace, workload, direction)
        ]


@lru_cache(maxsize=6)
def recording(
    *scenarios: str,
    seed: int = 1,
    minutes: float = 3.0,
    size: Size = Size.SMALL,
    aggregation: Aggregation = Aggregation.MEDIUM,
    vantage: Vantage = Vantage.BOTH,
    duplicate: bool = False,
    disorder_seconds: float = 0.0,
    heartbeats: bool = False,
) -> Recording:
    """A simulated recording; equal arguments give the same object."""
    truth = Truth()
    config = SimulationConfig(
        seed=seed,
        minutes=minutes,
        size=size,
        scenarios=tuple(ScenarioSpec.parse(scenario) for scenario in scenarios),
        aggregation=aggregation,
        vantage=vantage,
        duplicate=duplicate,
        disorder_seconds=disorder_seconds,
        heartbeats=heartbeats,
    )
    return Recording(list(simulate(config, truth)), truth)


def tuple_of(flow: Flow) -> tuple[str, str, int, str, int]:
    """Protocol, source address and port, destination address and port, as the event has them."""
    protocol, layer = next(iter(flow["l4"].items()))
    return (
        protocol,
        flow["IP"]["source"],
        layer.get("source_port", 0),
        flow["IP"]["destination"],
        layer.get("destination_port", 0),
    )


def nanoseconds(time: str) -> int:
    """RFC 3339 UTC of up to nine digits, as nanoseconds since 1970."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    second = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return second * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)
