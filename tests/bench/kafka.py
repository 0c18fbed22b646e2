"""``make bench``, the part with a real Kafka: export and worker, as ratios of processor time.

Each program runs in a process of its own on one core. Export: the recording's lines through
``hubblewatch export`` against the bare decode of the same lines. Worker: ``hubblewatch detect``
over a backlog, from the time it is ready until all is counted and committed, against the bare
decode of the same envelopes, and against a plain Faust agent with one flow a message and a windowed
table.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from deploy.local.kafka import KafkaNode, KafkaUnavailableError
from rich.console import Console
from rich.table import Table
from tests.bench.run import bare_decode, seldom_collected, write_recording

from hubblewatch.flow import decode

console = Console(width=100)
HUBBLEWATCH = [sys.executable, "-m", "hubblewatch"]
PARTITIONS = 12
TIMEOUT_SECONDS = 300.0
SESSION_TIMEOUT_SECONDS = 120.0
"""So long may a worker be suspended and keep its partitions."""

PLAIN_AGENT = """
import json, os, sys, time
import faust
bootstrap, wanted = sys.argv[1], int(sys.argv[2])
app = faust.App('plain', broker='kafka://' + bootstrap, store='memory://', web_enabled=False,
                topic_disable_leader=True, consumer_auto_offset_reset='earliest')
flows = app.topic('plain.flows', value_type=bytes, value_serializer='raw')
denied = app.Table('denied', default=int, partitions=1).tumbling(60.0)
state = {'seen': 0, 'begin': 0.0}

@app.agent(flows)
async def count(stream):
    async for value in stream:
        if not state['seen']:
            state['begin'] = time.process_time()
        flow = json.loads(value)['flow']
        key = flow['source'].get('namespace', '') + '/' + flow['source'].get('pod_name', '')
        if flow['verdict'] == 'DROPPED':
            denied[key + '/denied'] += 1
        denied[key] += 1
        state['seen'] += 1
        if state['seen'] == wanted:
            # Not print, which Faust takes away.
            os.write(1, str(time.process_time() - state['begin']).encode())
            os._exit(0)

sys.argv = ['plain', 'worker', '-l', 'error', '--without-web']
app.main()
"""


def environment_of(bootstrap: str, port: int) -> dict[str, str]:
    """Give the variables for a program of ours that uses this Kafka."""
    return os.environ | {
        "HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "HUBBLEWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
        "HUBBLEWATCH_SERVE__PORT": str(port),
    }


def _one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def apply_topics(environment: dict[str, str]) -> None:
    """Make the topics."""
    subprocess.run(
        [*HUBBLEWATCH, "topics", "--apply"],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=TIMEOUT_SECONDS,
    )


def export_seconds(path: Path, environment: dict[str, str]) -> float:
    """Export the recording; give the process's processor seconds, its start not counted."""
    program = (
        "import sys, time\n"
        "from hubblewatch.cli import main\n"
        "import aiokafka, hubblewatch.export.command\n"
        "begin = time.process_time()\n"
        "code = main(sys.argv[1:])\n"
        "print(time.process_time() - begin, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "export", "--from", str(path), "--quiet"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return float(done.stderr.strip().splitlines()[-1])


def follow_seconds(path: Path, environment: dict[str, str]) -> float:
    """Export the file as one that is followed; give the processor seconds until all is in Kafka.

    The process ends itself once its remembered position is the end of the file.
    """
    position = path.with_name("position.json")
    program = (
        "import json, os, pathlib, signal, sys, threading, time\n"
        "from hubblewatch.cli import main\n"
        "import aiokafka, hubblewatch.export.command\n"
        "position, file = pathlib.Path(sys.argv.pop(1)), sys.argv[-1]\n"
        "size = os.path.getsize(file)\n"
        "spent = []\n"
        "def watch():\n"
        "    offset = 0\n"
        "    while offset < size:\n"
        "        time.sleep(0.2)\n"
        "        if position.exists():\n"
        "            places = json.loads(position.read_bytes())['files']\n"
        "            offset = places.get(file, {'offset': 0})['offset']\n"
        "    spent.append(time.process_time() - begin)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "begin = time.process_time()\n"
        "code = main(sys.argv[1:])\n"
        "print(spent[0], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", program, str(position)),
            *("export", "--follow", "--quiet", "--from", str(path)),
        ],
        env=environment | {"HUBBLEWATCH_EXPORT__FOLLOW__POSITION_FILE": str(position)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return float(done.stderr.strip().splitlines()[-1])


@contextmanager
def worker(environment: dict[str, str], port: int) -> Iterator[psutil.Process]:
    """A worker that is ready, with nothing to do yet."""
    process = subprocess.Popen(
        [*HUBBLEWATCH, "detect"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _get(port, "/readyz") is not None, "the worker is ready")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """The worker keeps its place and does nothing: what comes meanwhile is a backlog to it."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def worker_seconds(process: psutil.Process, before: float, port: int, flows: int) -> float:
    """Wait until the worker has counted all flows; give its processor seconds since ``before``."""
    # Seldom: a scrape costs the worker some milliseconds.
    wait_for(lambda: flows_counted(port) >= flows, f"the worker counted {flows} flows", every=2.0)
    return sum(process.cpu_times()[:2]) - before


def flows_counted(port: int) -> int:
    """Give the flows that a worker says it counted; 0 while it does not answer."""
    text = _get(port, "/metrics") or ""
    return int(
        sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("hubblewatch_flows_total{")
        )
    )


def _get(port: int, path: str) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def wait_for(
    is_so: Callable[[], bool], what: str, every: float = 0.5, within: float = TIMEOUT_SECONDS
) -> None:
    """Wait until something is so; end the program if it is not in time."""
    end = time.monotonic() + within
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"not within {within:.0f} s: {what}")
        time.sleep(every)


async def read_envelopes(bootstrap: str) -> list[bytes]:
    """Read all envelopes that were exported."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition("hubble.flows", number) for number in range(PARTITIONS)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning()
        envelopes: list[bytes] = []
        while len(envelopes) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                envelopes += [record.value for record in records]
        return envelopes
    finally:
        await consumer.stop()


async def produce_singly(bootstrap: str, lines: list[bytes]) -> None:
    """Put one flow into each message, as the plain agent reads them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    names = ["plain.flows", "plain-denied-changelog"]
    await admin.create_topics([NewTopic(n, num_partitions=1, replication_factor=1) for n in names])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    await producer.start()
    for line in lines:
        await producer.send("plain.flows", line)
    await producer.stop()


def plain_agent_seconds(bootstrap: str, lines: list[bytes]) -> float:
    """Give the processor seconds of the plain agent for these lines."""
    asyncio.run(produce_singly(bootstrap, lines))
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_AGENT, bootstrap, str(len(lines))],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return float(done.stdout.strip().splitlines()[-1])


def bare_envelopes(envelopes: list[bytes], decode_line: Callable[[bytes], object]) -> float:
    """Decode each line of the envelopes, and drop it; processor seconds."""
    with seldom_collected():
        begin = time.process_time()
        for envelope in envelopes:
            for line in envelope.split(b"\n"):
                decode_line(line)
        return time.process_time() - begin


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_200_000)
    parser.add_argument("--plain-lines", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--rate", type=float, default=400.0, help="connections a second; some ten lines each"
    )
    parser.add_argument("--port", type=int, default=19_464)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_recording(folder, options.lines, options.seed, options.rate)
        with KafkaNode(folder / "kafka") as node:
            environment = environment_of(node.bootstrap, options.port)
            apply_topics(environment)
            with path.open("rb") as file:
                flows = sum(line.startswith(b'{"flow"') for line in file)
            patient = environment | {
                "HUBBLEWATCH_WORKER__SESSION_TIMEOUT_SECONDS": str(SESSION_TIMEOUT_SECONDS)
            }
            with worker(patient, options.port) as process:
                before = sum(process.cpu_times()[:2])
                time.sleep(10)
                idle = sum(process.cpu_times()[:2]) - before
                before += idle
                with suspended(process):
                    exported = export_seconds(path, environment)
                detected = worker_seconds(process, before, options.port, flows)
            envelopes = asyncio.run(read_envelopes(node.bootstrap))
            with path.open("rb") as file:
                flow_lines = (line.rstrip(b"\n") for line in file if line.startswith(b'{"flow"'))
                few = list(islice(flow_lines, options.plain_lines))
            plain = plain_agent_seconds(node.bootstrap, few)
            apart = environment | {"HUBBLEWATCH_KAFKA__TOPIC_PREFIX": "followed."}
            apply_topics(apart)
            followed = follow_seconds(path, apart)
        _one_core()
        with seldom_collected():
            begin = time.process_time()
            bare_decode(path)
            bare = time.process_time() - begin
        # Into the pipeline's own types, and as somebody without types would do it.
        typed, untyped = (
            min(bare_envelopes(envelopes, decode_line) for _ in range(3))
            for decode_line in (decode._decode_line, msgspec.json.decode)
        )
    lines = options.lines
    plain_a_line = plain / options.plain_lines
    table = Table(title=f"{lines:,} lines through a real Kafka, {PARTITIONS} partitions")
    for heading in ("", "µs a line", "lines/s", "ratio", "against"):
        table.add_column(heading, justify="left" if heading in ("", "against") else "right")
    for work, seconds, baseline, against in (
        ("export", exported, bare, "bare decode of the full lines"),
        ("export --follow", followed, bare, "bare decode of the full lines"),
        ("worker", detected, typed, "bare decode of the envelopes"),
        ("worker", detected, untyped, "their decode without types"),
        ("worker", detected, plain_a_line * lines, "plain Faust agent, a flow a message"),
    ):
        table.add_row(
            work,
            f"{seconds / lines * 1e6:.2f}",
            f"{lines / seconds:,.0f}",
            f"{baseline / seconds:.2f}",
            f"{against} ({baseline / lines * 1e6:.2f} µs)",
        )
    console.print(table)
    size = sum(map(len, envelopes))
    console.print(
        f"{len(envelopes):,} envelopes, {size / lines:.0f} bytes a line before compression; "
        f"an idle worker takes {idle / 10:.1%} of a core"
    )


if __name__ == "__main__":
    try:
        main()
    except KafkaUnavailableError as error:
        console.print(f"the part with Kafka is left out: {error}", markup=False)
