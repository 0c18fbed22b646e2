"""``make bench``: how fast detection is, as ratios against named baselines in the same run.

One process on one core, each measurement the best of several rounds that take turns, in seconds of
processor time. Baselines: the bare msgspec decode of the same bytes, and what people write today,
``json.loads`` with Counters, once over raw events and once over flat records with rules as nested
passes. ``tests/bench/kafka.py`` is the part with a real Kafka.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hubblewatch.attempt.assembly import Assembly, AssemblySettings
from hubblewatch.flow import decode as flow_decode
from hubblewatch.replay.interruption import Interruption
from hubblewatch.replay.run import Replay
from hubblewatch.settings import Settings
from hubblewatch.simulate import SimulationConfig, simulate
from hubblewatch.source.recordings import Recording

console = Console(width=100)

FAR = 1 << 60


def _ignore(*_: object) -> None:
    """The recording is clean; what is refused would show in the count of lines."""


def write_recording(folder: Path, lines: int, seed: int, rate: float | None = None) -> Path:
    """Write so many full Hubble lines of a simulated cluster; ``rate`` in connections a second."""
    path = folder / "bench.jsonl"
    written = 0
    with path.open("wb") as file:
        for line in simulate(SimulationConfig(seed=seed, minutes=600, rate=rate)):
            file.write(line if line.endswith(b"\n") else line + b"\n")
            written += 1
            if written >= lines:
                break
    return path


def bare_decode(path: Path) -> int:
    """Decode each line into the types that the service uses, and drop it."""
    decode = flow_decode._decode_line
    count = 0
    with path.open("rb") as file:
        for line in file:
            decode(line)
            count += 1
    return count


def decode_and_count(path: Path) -> int:
    """Decode, and assemble connections; no window closes."""
    assembly = Assembly(AssemblySettings(), _ignore)
    assembly.wake = FAR
    for lines in Recording(str(path)).decoded(_ignore):
        assembly.take(iter(lines))
    return len(assembly)


def whole_replay(path: Path) -> int:
    """The product: lines to windows, detectors, incidents, alerts."""
    replay = Replay(Settings(), [Recording(str(path))])
    replay.run([], Interruption())
    return replay.lines


def json_counters(path: Path) -> int:
    """What people write today: raw events into Counters, a look at them each minute."""
    denied: Counter[str] = Counter()
    udp: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    namespaces: dict[str, set[str]] = defaultdict(set)
    minute = ""
    alerts = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            flow = json.loads(line).get("flow")
            if flow is None:
                continue
            if flow["time"][:16] != minute:
                minute = flow["time"][:16]
                alerts += sum(1 for count in denied.values() if count > 10)
                alerts += sum(1 for peers in namespaces.values() if len(peers) > 5)
                denied.clear()
                udp.clear()
                namespaces.clear()
            source = flow.get("source", {})
            destination = flow.get("destination", {})
            who = f"{source.get('namespace', '')}/{source.get('pod_name', '')}"
            whom = f"{destination.get('namespace', '')}/{destination.get('pod_name', '')}"
            verdicts[flow.get("verdict", "")] += 1
            pairs[who, whom] += 1
            if flow.get("verdict") == "DROPPED":
                denied[who] += 1
            if "UDP" in flow.get("l4", {}):
                udp[who] += 1
            namespaces[who].add(destination.get("namespace", ""))
    return alerts


def nested_rules(path: Path) -> int:
    """The same with flat records of a minute, as ``hubble observe`` prints, and a pass per rule."""
    alerts = 0
    with path.open(encoding="utf-8") as file:
        for records in _minutes(map(json.loads, file)):
            workloads = {record["source"] for record in records}
            for workload in workloads:
                mine = [record for record in records if record["source"] == workload]
                alerts += sum(1 for r in mine if r["verdict"] == "DROPPED") > 10
                alerts += sum(1 for r in mine if r["protocol"] == "UDP") > 0.7 * len(mine)
                alerts += len({r["destination_namespace"] for r in mine}) > 5
                alerts += len({r["port"] for r in mine}) > 100
    return alerts


def _minutes(lines: Iterator[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    records: list[dict[str, object]] = []
    minute = ""
    for line in lines:
        flow = line.get("flow")
        if not isinstance(flow, dict):
            continue
        if flow["time"][:16] != minute:
            minute = flow["time"][:16]
            if records:
                yield records
            records = []
        layer4 = flow.get("l4", {})
        protocol = next(iter(layer4), "")
        source, destination = flow.get("source", {}), flow.get("destination", {})
        records.append(
            {
                "time": flow["time"],
                "source": f"{source.get('namespace', '')}/{source.get('pod_name', '')}",
                "destination": (
                    f"{destination.get('namespace', '')}/{destination.get('pod_name', '')}"
                ),
                "destination_namespace": destination.get("namespace", ""),
                "verdict": flow.get("verdict"),
                "type": flow.get("event_type", {}).get("type"),
                "protocol": protocol,
                "port": layer4.get(protocol, {}).get("destination_port", 0),
                "summary": flow.get("Summary", ""),
            }
        )
    if records:
        yield records


@contextmanager
def seldom_collected() -> Iterator[None]:
    """The collector as the service sets it, for every measurement alike."""
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def best_of(works: dict[str, Callable[[Path], int]], path: Path, rounds: int) -> dict[str, float]:
    """Give the least processor seconds of each work; rounds take turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            with seldom_collected():
                begin = time.process_time()
                work(path)
                best[name] = min(best[name], time.process_time() - begin)
    return best


def memory_of_replay(path: Path, lines: int) -> float:
    """Give the peak resident megabytes of a replay of the first ``lines``, in its own process."""
    program = (
        "import sys, resource, itertools\n"
        "from hubblewatch.cli import main\n"
        "code = main(['replay', '-', '--json'])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    feeder = subprocess.Popen(
        [sys.executable, "-c", _FEED, str(path), str(lines)], stdout=subprocess.PIPE
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdin=feeder.stdout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=1_800,
    )
    feeder.wait(timeout=60)
    return float(done.stderr.strip().splitlines()[-1])


# The recording again and again, each time moved on by its own length, so that five million lines
# need no five gigabytes of disk.
_FEED = """
import re, sys
from datetime import datetime, timedelta
path, wanted = sys.argv[1], int(sys.argv[2])
lines = open(path, 'rb').read().splitlines(keepends=True)
stamp = re.compile(rb'"time":"(\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d)')
minutes = sorted({m for line in lines for m in stamp.findall(line)})
form = '%Y-%m-%dT%H:%M'
first, last = (datetime.strptime(m.decode(), form) for m in (minutes[0], minutes[-1]))
span = last - first + timedelta(minutes=1)
out, written, turn = sys.stdout.buffer, 0, 0
while written < wanted:
    moved = {
        m: b'"time":"' + (datetime.strptime(m.decode(), form) + turn * span).strftime(form).encode()
        for m in minutes
    }
    for line in lines:
        if turn:
            line = stamp.sub(lambda match: moved[match[1]], line)
        out.write(line)
        written += 1
        if written >= wanted:
            break
    turn += 1
"""


def show(best: dict[str, float], lines: int, size: int) -> None:
    """Print each work with its rate and its ratios to the baselines."""
    table = Table(title=f"{lines:,} lines of {size / lines:,.0f} bytes, one core")
    for heading in ("", "µs a line", "lines/s", "x bare decode", "x json loop", "x nested rules"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, seconds in best.items():
        table.add_row(
            name,
            f"{seconds / lines * 1e6:.2f}",
            f"{lines / seconds:,.0f}",
            f"{best['bare decode'] / seconds:.2f}",
            f"{best['json loop'] / seconds:.2f}",
            f"{best['nested rules'] / seconds:.2f}",
        )
    console.print(table)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--memory", action="store_true", help="replay 500,000 and 5,000,000 lines")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = write_recording(Path(folder), options.lines, options.seed)
        works: dict[str, Callable[[Path], int]] = {
            "bare decode": bare_decode,
            "decode and count": decode_and_count,
            "whole replay": whole_replay,
            "json loop": json_counters,
            "nested rules": nested_rules,
        }
        best = best_of(works, path, options.rounds)
        show(best, options.lines, path.stat().st_size)
        if options.memory:
            for lines in (500_000, 5_000_000):
                peak = memory_of_replay(path, lines)
                console.print(f"peak memory of a replay of {lines:>9,} lines: {peak:.0f} MB")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    console.print(f"peak memory of this benchmark: {own} MB")


if __name__ == "__main__":
    main()
