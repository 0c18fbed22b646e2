"""What redaction costs beside decoding and encoding, which every exported line goes through anyway.

    python -m tests.bench.redaction [--rounds 7]

Processor time, the least of the rounds. Lines with look-ups are measured apart, since only they and
lines with a destination's name have something to hash.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from tests.builders import pod, world
from tests.connections import tcp
from tests.proxying import dns

from hubblewatch.assemble import open_redaction
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.schema import Line
from hubblewatch.settings import RedactionSettings, Settings

HASHED = RedactionSettings.model_validate({"names": "hash", "key": "0123456789abcdef"})
BATCH = 500


def packets() -> list[bytes]:
    """Connections between pods, and one in ten to the world."""
    lines: list[bytes] = []
    for number in range(2_000):
        at, port = number / 10, 30_000 + number
        if number % 10:
            lines += tcp(at=at, from_port=port)
        else:
            lines += tcp(pod(), world(), at=at, port=443, from_port=port)
    return lines


def lookups() -> list[bytes]:
    """Look-ups of many names."""
    return [
        line
        for number in range(2_000)
        for line in dns(name=f"host-{number % 500}.example.com.", at=number / 10)
    ]


def least(rounds: int, lines: list[bytes], work: Callable[[list[Line]], object]) -> float:
    """Give the processor time of ``work`` in microseconds a line; decoding is not counted."""
    times = []
    for _ in range(rounds):
        used = 0.0
        for first in range(0, len(lines), BATCH):
            decoded = decode_lines(lines[first : first + BATCH], print)
            begin = time.process_time()
            work(decoded)
            used += time.process_time() - begin
        times.append(used)
    return min(times) / len(lines) * 1e6


def decoding(rounds: int, lines: list[bytes]) -> float:
    """Give the processor time of decoding in microseconds a line."""
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        for first in range(0, len(lines), BATCH):
            decode_lines(lines[first : first + BATCH], print)
        times.append(time.process_time() - begin)
    return min(times) / len(lines) * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    keeping = open_redaction(Settings()).redact
    hashing = open_redaction(Settings(redaction=HASHED)).redact
    for name, lines in (("packet events", packets()), ("look-ups, DNS proxy", lookups())):
        around = decoding(rounds, lines) + least(rounds, lines, encode_lines)
        print(f"{name}: {len(lines):,} lines, decoded and encoded in {around:.2f} us each")
        for what, redact in (("names kept", keeping), ("names hashed", hashing)):
            cost = least(rounds, lines, redact)
            print(f"  {what:<14}{cost:>6.3f} us a line{cost / around:>8.1%}")


if __name__ == "__main__":
    main()
