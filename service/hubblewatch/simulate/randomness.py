"""Independent, reproducible random streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

T = TypeVar("T")


def stream_seed(seed: int, *purpose: str | int) -> int:
    """A 64-bit seed for `purpose`, the same on every run and every Python version."""
    text = "\x1f".join([str(seed), *(str(part) for part in purpose)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *purpose: str | int) -> Random:
    """A generator that nothing but `purpose` draws from.

    One stream a purpose keeps recordings comparable: what a scenario draws never shifts what
    the quiet traffic draws.
    """
    return Random(stream_seed(seed, *purpose))


def pick(rng: Random, choices: Sequence[T]) -> T:
    """One of `choices`, uniformly; cheaper than `Random.choice` and as stable as `random()`."""
    return choices[int(rng.random() * len(choices))]


def between(rng: Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def distinct(rng: Random, choices: Sequence[T], count: int) -> list[T]:
    """Up to `count` different members of `choices`, in random order."""
    rest = list(choices)
    taken: list[T] = []
    while rest and len(taken) < count:
        taken.append(rest.pop(int(rng.random() * len(rest))))
    return taken


def exponential_ns(rng: Random, mean_seconds: float) -> int:
    """A waiting time of a Poisson process, in nanoseconds (at least one microsecond)."""
    return max(1_000, int(-math.log(1.0 - rng.random()) * mean_seconds * 1e9))


def heavy_tailed(rng: Random, sigma: float = 1.2) -> float:
    """A log-normal weight with median 1, made from two uniform draws (Box-Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - rng.random()))
    return math.exp(sigma * radius * math.cos(2.0 * math.pi * rng.random()))
