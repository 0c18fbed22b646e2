"""A worker that was away for ten minutes of 20,000 flows a second: its memory, time and alerts.

The stream is simulated, exported to a real Kafka while no worker runs, then caught up with. The
alert ids must equal those of a replay of the same stream.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from deploy.local.kafka import KafkaNode
from rich.console import Console
from tests.bench.kafka import HUBBLEWATCH, TIMEOUT_SECONDS, environment_of, flows_counted, wait_for

console = Console(width=100)


def simulation(options: argparse.Namespace) -> list[str]:
    """The command that writes the stream; some ten lines a connection."""
    return [
        *HUBBLEWATCH,
        *("simulate", "--out", "-", "--seed", str(options.seed)),
        *("--minutes", str(options.minutes), "--rate", str(options.rate)),
        *("--scenario", "policy-break:at=4", "--scenario", "port-scan:at=6"),
    ]


async def alert_ids(bootstrap: str, partitions: int) -> list[str]:
    """Read the ids of all alert records, committed ones only."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        parts = [TopicPartition("hubble.alerts", number) for number in range(partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning()
        ids: list[str] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                ids += [json.loads(record.value)["id"] for record in records if record.value]
        return sorted(ids)
    finally:
        await consumer.stop()


def main() -> int:
    """Run it; 1 if the alerts differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--port", type=int, default=19_465)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, KafkaNode(Path(name) / "kafka") as node:
        environment = environment_of(node.bootstrap, options.port)
        subprocess.run(
            [*HUBBLEWATCH, "topics", "--apply"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
        )
        begin = time.monotonic()
        source = subprocess.Popen(simulation(options), stdout=subprocess.PIPE)
        tee = subprocess.Popen(
            [sys.executable, "-c", _COUNT],
            stdin=source.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        subprocess.run(
            [*HUBBLEWATCH, "export", "--from", "-", "--quiet"],
            env=environment,
            stdin=tee.stdout,
            check=True,
            timeout=1_200,
        )
        assert tee.stderr is not None
        flows = int(tee.stderr.read())
        console.print(f"{flows:,} flows exported in {time.monotonic() - begin:.0f} s")
        begin = time.monotonic()
        process = subprocess.Popen([*HUBBLEWATCH, "detect"], env=environment)
        peak = 0
        try:

            def is_done() -> bool:
                nonlocal peak
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)
                return flows_counted(options.port) >= flows

            wait_for(is_done, f"the worker counted {flows} flows", every=1.0, within=900)
            taken = time.monotonic() - begin
            time.sleep(2)
            caught_up = asyncio.run(alert_ids(node.bootstrap, 12))
        finally:
            process.terminate()
            process.wait(timeout=30)
    source = subprocess.Popen(simulation(options), stdout=subprocess.PIPE)
    replayed = subprocess.run(
        [*HUBBLEWATCH, "replay", "-", "--json"],
        stdin=source.stdout,
        stdout=subprocess.PIPE,
        check=True,
        timeout=1_200,
    )
    expected = sorted(json.loads(line)["id"] for line in replayed.stdout.splitlines())
    console.print(
        f"caught up in {taken:.0f} s ({flows / taken:,.0f} flows/s, start included), "
        f"peak memory {peak >> 20} MB, {len(caught_up)} alert records, "
        f"{'the same as' if caught_up == expected else 'DIFFERENT from'} a replay's {len(expected)}"
    )
    return 0 if caught_up == expected else 1


# Passes lines on and counts the flows among them.
_COUNT = """
import sys
flows = 0
out = sys.stdout.buffer
for line in sys.stdin.buffer:
    flows += line.startswith(b'{"flow"')
    out.write(line)
out.flush()
print(flows, file=sys.stderr)
"""


if __name__ == "__main__":
    sys.exit(main())
