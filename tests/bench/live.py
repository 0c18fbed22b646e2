"""``make bench``, the part with a live Hubble: gRPC to Kafka beside a client that only reads.

    python -m tests.bench.live [--rounds 3] [--seconds 5]

Cilium's own observer makes flows of about 1.2 kB faster than anybody here reads them, over a socket
of this machine. Each reader runs in a process of its own, on one core; the observer and Kafka have
the others. The readers take turns, so that what else the machine does is shared by all:

- a bare client: gRPC's stream of raw bytes, which it drops; as gRPC comes, and polling for itself;
- the source alone: messages to lines;
- ``hubblewatch export``: the same, redacted, routed, encoded, packed and acknowledged by Kafka.

Figures are the processor time of a flow, all threads together, and flows a second of the wall
clock; the ratio is the bare client's processor time by the reader's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from deploy.local.kafka import KafkaNode, KafkaUnavailableError
from rich.console import Console
from rich.table import Table
from tests.bench.kafka import apply_topics, environment_of
from tests.hubble.programs import Agent, NoGoError, built
from tests.hubble.throughput import write_templates

console = Console(width=100)
WITHIN_SECONDS = 120.0
READERS = {
    "bare": "bare client",
    "polling": "bare client that polls for itself",
    "source": "source",
    "export": "export to Kafka",
}


class Taken(NamedTuple):
    """What one reader did in one round."""

    flows: int
    seconds: float
    used_seconds: float
    """Of the processor."""

    @property
    def micros(self) -> float:
        """Processor time of a flow, µs."""
        return self.used_seconds / self.flows * 1e6


def read(reader: str, address: str, seconds: float, environment: dict[str, str]) -> Taken:
    """Let one reader read for so long, in a process on one core."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.live_readers", reader, address, str(seconds)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the reader {reader} failed:\n{done.stderr[-2_000:]}")
    flows, took, used = done.stdout.split()[-3:]
    return Taken(int(flows), float(took), float(used))


def rounds(
    wanted: argparse.Namespace, address: str, environment: dict[str, str]
) -> Iterator[dict[str, Taken]]:
    """Let all readers take turns."""
    for _ in range(wanted.rounds):
        yield {reader: read(reader, address, wanted.seconds, environment) for reader in READERS}


def show(all_rounds: list[dict[str, Taken]]) -> None:
    """Print the medians, and the ratios within each round."""
    table = Table(title=f"a live Hubble, {len(all_rounds)} rounds")
    for heading in ("reader", "µs a flow", "flows/s", "by bare", "by polling"):
        table.add_column(heading, justify="left" if heading == "reader" else "right")
    for reader, name in READERS.items():
        taken = [one[reader] for one in all_rounds]
        ratios = [
            [one[bare].micros / one[reader].micros for one in all_rounds]
            for bare in ("bare", "polling")
        ]
        table.add_row(
            name,
            f"{median(one.micros for one in taken):.1f}",
            f"{median(one.flows / one.seconds for one in taken):,.0f}",
            *(f"{median(found):.2f} ({min(found):.2f}-{max(found):.2f})" for found in ratios),
        )
    console.print(table)


def main() -> None:
    """Measure all readers in turns."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each reader in a round")
    parser.add_argument("--rate", type=float, default=60_000, help="flows a second that are made")
    parser.add_argument("--port", type=int, default=19_465)
    wanted = parser.parse_args()
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        # The highest is the readers'; who is started from here takes what is left.
        os.sched_setaffinity(0, cores - {max(cores)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        templates = folder / "flows.jsonl"
        write_templates(templates)
        address = f"unix://{folder}/agent.sock"
        with KafkaNode(folder / "kafka") as node:
            environment = environment_of(node.bootstrap, wanted.port)
            environment["HUBBLEWATCH_HUBBLE__ADDRESS"] = address
            environment["READERS_CORE"] = str(max(cores))
            apply_topics(environment)
            agent = Agent(
                built("server"), address, ring=65_535, templates=templates, rate=wanted.rate
            )
            try:
                show(list(rounds(wanted, address, environment)))
            finally:
                agent.kill()


if __name__ == "__main__":
    try:
        main()
    except (KafkaUnavailableError, NoGoError) as error:
        console.print(f"the part with a live Hubble is left out: {error}", markup=False)
