"""Which recordings detection is judged on: simulated clusters by seed, or files with truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from hubblewatch.errors import ConfigurationError
from hubblewatch.evaluate.trial import Case
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.timestamp import TimestampError, parse_ns
from hubblewatch.simulate import Label, ScenarioSpec, SimulationConfig, Size
from hubblewatch.simulate.scenarios import SCENARIOS
from hubblewatch.simulate.settings import Vantage
from hubblewatch.source.compression import DamagedError, unpack
from hubblewatch.source.lines import batches

QUICK_ATTACKS = (
    "data-staging",
    "lateral-movement",
    "denied-probe",
    "port-scan",
    "udp-flood",
    "new-egress",
)
"""One of each kind, and those that no single count shows."""

_SETTLING_SHARE = 0.5
_ATTACK_MINUTES = 15.0
_AFTER_MINUTES = 5.0
QUIET = "quiet"


class EvaluationPlan(Struct, frozen=True):
    """What is simulated; ``seeds`` stand for clusters that no shipped model was fitted on."""

    attacks: tuple[str, ...]
    intensities: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (9001, 9002, 9003)
    minutes: float = 60.0
    rate: float | None = 5.0
    size: Size = Size.MEDIUM

    def cases(self) -> Iterator[tuple[Case, SimulationConfig]]:
        """Give each case with its simulation: quiet and disturbances once, attacks as strong as
        each intensity. Recordings are longer where a scenario needs it."""
        for seed in self.seeds:
            for name in filter(self._shows, self.attacks):
                kind = SCENARIOS[name].kind
                strengths = self.intensities if kind == "attack" else (1.0,)
                for intensity in strengths:
                    yield Case(name, kind, intensity, seed), self._config(name, intensity, seed)

    def left_out(self) -> list[str]:
        """Give the scenarios that clusters of this size are too small to show."""
        return [name for name in self.attacks if not self._shows(name)]

    def _shows(self, name: str) -> bool:
        return self.size.is_at_least(SCENARIOS[name].least_size)

    def _config(self, name: str, intensity: float, seed: int) -> SimulationConfig:
        scenario = SCENARIOS[name]
        begin = max(self.minutes * _SETTLING_SHARE, scenario.lead_minutes)
        length = scenario.minutes or _ATTACK_MINUTES
        minutes = self.minutes
        if scenario.minutes or scenario.lead_minutes:
            minutes = max(minutes, begin + length + _AFTER_MINUTES)
        length = min(length, minutes - begin - _AFTER_MINUTES)
        return SimulationConfig(
            seed=cluster_seed(name, seed),
            minutes=minutes,
            size=self.size,
            rate=self.rate,
            vantage=Vantage.SOURCE,
            scenarios=(ScenarioSpec(name, begin, length, intensity),),
        )


def cluster_seed(name: str, seed: int) -> int:
    """Give the seed of a scenario's own cluster: what one cluster is like decides too much.

    From the name, so that a scenario more or less changes no other's cluster.
    """
    return crc32(f"{name}/{seed}".encode())


def all_scenarios() -> tuple[str, ...]:
    """Give every attack, then quiet and every disturbance."""
    attacks = tuple(name for name, scenario in SCENARIOS.items() if scenario.kind == "attack")
    return attacks + tuple(name for name in SCENARIOS if name not in attacks)


def check_names(names: tuple[str, ...]) -> None:
    """Raise ConfigurationError at a scenario that is none."""
    for name in names:
        if name not in SCENARIOS:
            raise ConfigurationError(
                f"no scenario {name!r}; there are {', '.join(SCENARIOS)} "
                "(hubblewatch simulate --list-scenarios)"
            )


class _LabelRecord(Struct):
    name: str
    kind: str
    start: str
    end: str
    intensity: float
    subjects: list[dict[str, str]]
    detectors: list[str]
    description: str = ""


class _TruthLine(Struct):
    label: _LabelRecord | None = None


def read_labels(path: Path) -> list[Label]:
    """Read the labels of a truth file, plain or compressed.

    Raises ConfigurationError where it is none, and where it is damaged: what is missing of it would
    make right alerts wrong ones.
    """
    decode = msgspec.json.Decoder(_TruthLine).decode

    def refuse(reject: Reject) -> None:
        raise ConfigurationError(f"--truth {path} is no truth of hubblewatch: {reject.detail}")

    labels = []
    try:
        with path.open("rb") as file:
            for batch in batches(unpack(file.read, f"--truth {path}"), str(path), refuse):
                for line in filter(None, batch.lines):
                    found = decode(line).label
                    if found is not None:
                        labels.append(_label(found))
    except OSError as error:
        raise ConfigurationError(f"cannot read --truth {path}: {error.strerror}") from None
    except DamagedError as error:
        raise ConfigurationError(f"--truth {path} is damaged: {error}; write it again") from None
    except (msgspec.MsgspecError, TimestampError, KeyError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--truth {path} is no truth of hubblewatch: {error}") from None
    return labels


def _label(found: _LabelRecord) -> Label:
    return Label(
        found.name, found.kind, parse_ns(found.start), parse_ns(found.end), found.intensity,
        [(s["namespace"], s["workload"], s["direction"]) for s in found.subjects],
        found.detectors, found.description,
    )  # fmt: skip
