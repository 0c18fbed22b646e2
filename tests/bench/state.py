"""How long a worker needs to take up the state of 50,000 subjects, with a real Kafka.

The subjects are those of a simulated cluster, watched for over an hour, again and again under other
names and with other numbers, so that they compress no better than as many different ones. Each is
written several times, since compaction is always behind. Then a worker starts. Exits 1 when it
takes longer than the limit until all partitions are restored.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from deploy.local.kafka import KafkaNode
from tests.bench.kafka import PARTITIONS, apply_topics, environment_of, worker

from hubblewatch.assemble import build_pipeline, open_model
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.kafka.partition import partition_of
from hubblewatch.pipeline import Resume
from hubblewatch.settings import Settings
from hubblewatch.simulate import SimulationConfig, Truth
from hubblewatch.state import Checkpoint, Record, checkpoint_record, encode_key
from hubblewatch.train.gather import simulated_batches
from hubblewatch.window.closed import Subject

LIMIT_SECONDS = 30.0
NAMESPACES = 500


def seasoned(minutes: float) -> list[tuple[Subject, SubjectMemory]]:
    """The subjects of a simulated cluster with what is remembered of them."""
    settings = Settings()
    pipeline = build_pipeline(settings, models=open_model(settings, time.time))
    config = SimulationConfig(seed=17, minutes=minutes, rate=15.0)
    for batch in simulated_batches(config, Truth(on_window=lambda _: None)):
        pipeline.take(batch)
    pipeline.finish()
    return list(pipeline.memory.subjects.items())


def another(copy: int, subject: Subject, memory: SubjectMemory) -> tuple[Subject, bytes]:
    """The same subject under another name, with other numbers and peers, as its record."""
    dice = random.Random(f"{copy} {subject}")
    number = dice.randrange(NAMESPACES)
    changed = msgspec.convert(msgspec.to_builtins(memory), SubjectMemory)
    for estimate in changed.estimates.values():
        estimate.centre *= dice.uniform(0.9, 1.1)
        estimate.scale *= dice.uniform(0.9, 1.1)
    for slot in changed.slots.values():
        for key, numbers in slot.items():
            slot[key] = [value * dice.uniform(0.9, 1.1) for value in numbers]
    for recent in changed.recent:
        recent.attempts += dice.randrange(20)
        recent.connections += dice.randrange(20)
    changed.edges = {
        f"team-{dice.randrange(NAMESPACES)}-{edge}": span for edge, span in changed.edges.items()
    }
    named = Subject(f"team-{number}", f"{subject.workload}-{copy}", subject.direction)
    return named, msgspec.msgpack.encode(changed)


def records_of(subjects: int, minutes: float) -> dict[int, list[Record]]:
    """The records of each partition; prints how large they are."""
    known = seasoned(minutes)
    partitions: dict[int, list[Record]] = {number: [] for number in range(PARTITIONS)}
    sizes = []
    for count in range(subjects):
        copy, place = divmod(count, len(known))
        subject, value = another(copy, *known[place])
        partition = partition_of(subject.namespace, PARTITIONS)
        partitions[partition].append((encode_key("subject", *subject), value))
        sizes.append(len(value))
    sizes.sort()
    edges = sorted(len(memory.edges) for _, memory in known)
    rare = sizes[len(sizes) * 99 // 100]
    print(
        f"{len(known)} subjects simulated, at most {edges[-1]} edges; a record before "
        f"compression: mean {sum(sizes) / len(sizes):,.0f} B, 99 % {rare:,}"
        f" B, largest {sizes[-1]:,} B"
    )
    for records in partitions.values():
        records.append(checkpoint_record(Checkpoint(29_540_700, 0, Resume(29_540_690))))
    return partitions


async def write(bootstrap: str, partitions: dict[int, list[Record]], times: int) -> None:
    """Write all records so many times, a transaction each time, as a worker does."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id="bench-state",
        compression_type="zstd",
        linger_ms=5,
    )
    await producer.start()
    try:
        for _ in range(times):
            async with producer.transaction():
                for partition, records in partitions.items():
                    for key, value in records:
                        await producer.send("hubble.state", value, key=key, partition=partition)
    finally:
        await producer.stop()


def bytes_on_disk(folder: Path) -> int:
    """Bytes of the state topic's segments."""
    return sum(path.stat().st_size for path in folder.rglob("hubble.state-*/*.log"))


def start_seconds(environment: dict[str, str], port: int) -> Iterator[float]:
    """Seconds until the worker is ready, its processor seconds, and its memory in MB."""
    begin = time.monotonic()
    with worker(environment, port) as process:
        yield time.monotonic() - begin
        yield sum(process.cpu_times()[:2])
        yield process.memory_info().rss / 1e6


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=50_000)
    parser.add_argument("--minutes", type=float, default=75.0, help="simulated before")
    parser.add_argument("--times", type=int, default=3, help="how often each record is written")
    parser.add_argument("--port", type=int, default=19_466)
    options = parser.parse_args()
    partitions = records_of(options.subjects, options.minutes)
    with tempfile.TemporaryDirectory() as name, KafkaNode(Path(name) / "kafka") as node:
        environment = environment_of(node.bootstrap, options.port)
        apply_topics(environment)
        empty = list(start_seconds(environment, options.port))
        asyncio.run(write(node.bootstrap, partitions, options.times))
        size = bytes_on_disk(Path(name))
        print(
            f"on Kafka {size / 1e6:.0f} MB, {size / options.times / options.subjects:,.0f} B a "
            "subject and writing"
        )
        full = list(start_seconds(environment, options.port))
    for what, (seconds, processor, memory) in (("no state", empty), ("the state", full)):
        print(
            f"start with {what}: {seconds:.1f} s until all partitions are restored and ready, "
            f"{processor:.1f} s of processor time, {memory:.0f} MB"
        )
    return 0 if full[0] < LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
