"""Prints the lowest intensity at which each attack is still found: `make scenarios` does, too.

Halves from twice the scenario's default until a seed is missed; what is printed was found on all.
"""

from __future__ import annotations

import argparse

from tests.scenarios.cases import ATTACKS, SEEDS, Attack
from tests.scenarios.judge import judge

from hubblewatch.simulate import Size

_HALVINGS = 8


def lowest(
    attack: Attack, seeds: tuple[int, ...], minutes: float, size: Size, rate: float | None
) -> float | None:
    """Give the lowest intensity found on all seeds at any time of the attack, or None."""
    found = None
    intensity = 2.0
    for _ in range(_HALVINGS):
        for seed in seeds:
            verdict = judge(f"{attack.scenario}:intensity={intensity}", seed, minutes, size, rate)
            if verdict.windows_until(*attack.detectors) is None:
                return found
        found = intensity
        intensity /= 2
    return found


def main() -> None:
    """Parse the arguments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--size", type=Size, default=Size.MEDIUM, choices=list(Size))
    parser.add_argument("--rate", type=float, help="connections a second; else by the seed")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    arguments = parser.parse_args()
    print(f"{'scenario':24} {'detector':22} lowest intensity found on all seeds")
    for attack in ATTACKS:
        if arguments.only in attack.scenario:
            seeds = SEEDS[: arguments.seeds]
            found = lowest(attack, seeds, arguments.minutes, arguments.size, arguments.rate)
            print(f"{attack.scenario:24} {attack.detector:22} {found}", flush=True)


if __name__ == "__main__":
    main()
