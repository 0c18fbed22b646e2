"""Kills workers and the broker again and again, then looks whether anything is missing or double.

``python -m tests.broker.crash --runs 3``. Two workers share twelve partitions of a simulated
recording. They are killed at each step of a transaction and at random, one is frozen until its
partitions are the other's and woken as a zombie, and the broker is killed. What is committed then
must be, to the byte, what an undisturbed run writes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.kafka import KafkaNode
from tests.broker.detecting import Streams, Topics, WorkerProcess, exported, until, until_counted
from tests.broker.faulty import STEPS, TIMES, VARIABLE
from tests.broker.undisturbed import undisturbed_run

from hubblewatch.simulate import ScenarioSpec, SimulationConfig, simulate

LINES_A_MINUTE_AND_RATE = 1_000
LINES_A_MINUTE_AND_WORKLOAD = 130
"""About as many lines the simulated cluster writes in a minute, for each connection a second, and
for each workload's probes and lookups."""


@dataclass(frozen=True)
class Plan:
    """What one run does."""

    lines: int = 1_000_000
    minutes: int = 60
    workloads: int = 40
    kills: int = 24
    zombies: int = 1
    broker_kills: int = 1
    seed: int = 1

    def faults(self) -> list[str]:
        """Steps of transactions at which workers kill themselves, one after the other."""
        faults = [f"{step}:{when}" for step in STEPS for when in TIMES]
        random.Random(self.seed).shuffle(faults)
        return faults[: max(1, self.kills * 2 // 3)]

    def events(self) -> list[str]:
        """What comes from outside meanwhile, one event for each bit of the recording."""
        events = [
            *["random"] * (self.kills - len(self.faults())),
            *["zombie"] * self.zombies,
            *["broker"] * self.broker_kills,
        ]
        events += [""] * (len(self.faults()) - len(events))
        random.Random(self.seed + 1).shuffle(events)
        return events

    def recording(self) -> SimulationConfig:
        """The cluster that is watched, with an incident in every ten minutes."""
        a_minute = self.lines / self.minutes - LINES_A_MINUTE_AND_WORKLOAD * self.workloads
        return SimulationConfig(
            seed=self.seed,
            minutes=self.minutes,
            rate=max(0.5, a_minute / LINES_A_MINUTE_AND_RATE),
            nodes=4,
            namespaces=12,
            workloads=self.workloads,
            disorder_seconds=4.0,
            scenarios=tuple(
                ScenarioSpec.parse(f"policy-break:at={at}:for=3")
                for at in range(4, self.minutes - 3, 10)
            ),
        )


@dataclass
class Verdict:
    """What a run led to."""

    lines: int = 0
    events: Counter[str] = field(default_factory=Counter)
    windows: int = 0
    alerts: int = 0
    missing: int = 0
    double: int = 0
    other: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether what was committed is what an undisturbed run writes."""
        return not (self.missing or self.double or self.other)

    def compare(self, found: Sequence[str], wanted: Sequence[str]) -> None:
        """Count what is missing, double, or was never to be there."""
        have, want = Counter(found), Counter(wanted)
        missing, surplus = want - have, have - want
        self.missing += missing.total()
        self.double += sum(n for one, n in surplus.items() if one in want)
        self.other += sum(n for one, n in surplus.items() if one not in want)
        self.examples += [f"- {one[:400]}" for one in list(missing)[:2]]
        self.examples += [f"+ {one[:400]}" for one in list(surplus)[:2]]


class Pair:
    """Two workers; who dies is started again, with the next fault that is left."""

    def __init__(self, folder: Path, topics: Topics, plan: Plan) -> None:
        self.counts: Counter[str] = Counter()
        self._faults = deque(plan.faults())
        self._dice = random.Random(plan.seed + 2)
        self._causes = ["", ""]
        self.workers = [
            WorkerProcess(
                folder,
                topics,
                f"worker-{number}",
                entry=("tests.broker.faulty",),
                instance=f"worker-{number}",
            )
            for number in range(2)
        ]

    async def supervise(self) -> None:
        """Keep both alive, and count what they die of."""
        while True:
            for number, worker in enumerate(self.workers):
                if not worker.running:
                    if self._causes[number] == "by nobody":
                        self.counts["ended by itself"] += 1
                        print(f"{worker.name} ended:\n{worker.log[-3000:]}", file=sys.stderr)
                    elif self._causes[number]:
                        self.counts[f"killed {self._causes[number]}"] += 1
                    self._start(number)
            await asyncio.sleep(0.1)

    def _start(self, number: int) -> None:
        if not self._faults:
            self._causes[number] = "by nobody"
            self.workers[number].start()
            return
        step, when = self._faults.popleft().split(":")
        self._causes[number] = f"{when} {step}"
        fault = f"{step}:{self._dice.randint(1, 5)}:{when}:kill"
        self.workers[number].start(**{VARIABLE: fault})

    async def suffer(self, event: str, node: KafkaNode) -> None:
        """Let something happen from outside."""
        number = self._dice.randrange(2)
        worker, other = self.workers[number], self.workers[1 - number]
        await asyncio.sleep(self._dice.uniform(0.0, 2.5))
        if event == "broker":
            await asyncio.to_thread(node.kill)
            await asyncio.sleep(self._dice.uniform(0.0, 6.0))
            await asyncio.to_thread(node.start)
            self.counts["broker killed"] += 1
        elif event == "zombie":
            worker.send(signal.SIGSTOP)
            await until(lambda: has_all(other), 60)
            worker.send(signal.SIGCONT)
            self.counts["zombie"] += 1
        elif event == "random":
            if self._causes[number] != "by nobody":
                step, when = reversed(self._causes[number].split(" "))
                self._faults.append(f"{step}:{when}")
            self._causes[number] = "at random"
            worker.send(signal.SIGKILL)

    async def are_ready(self) -> None:
        """Wait until both have their partitions."""
        await until(lambda: all(worker.get("/readyz")[0] == 200 for worker in self.workers), 90)


def has_all(worker: WorkerProcess) -> bool:
    """Whether a worker has every partition, restored."""
    return worker.metric("hubblewatch_restored_partitions") == worker_partitions(worker) == 12


def worker_partitions(worker: WorkerProcess) -> float:
    """Partitions that a worker was given."""
    return worker.metric("hubblewatch_assigned_partitions")


async def crash_run(plan: Plan, folder: Path, node: KafkaNode, streams: Streams) -> Verdict:
    """Publish the streams bit by bit, one bit for each event, and judge what is committed."""
    begin = time.monotonic()
    verdict = Verdict(lines=sum(record.count(b"\n") + 1 for one in streams for record in one))
    events = plan.events()
    topics = Topics(node.bootstrap, f"crash-{plan.seed}.")
    await topics.create()
    pair = Pair(folder, topics, plan)
    supervising = asyncio.create_task(pair.supervise())
    try:
        for index, event in enumerate([*events, ""]):
            await pair.are_ready()
            publishing = asyncio.create_task(
                topics.publish(bit_of(streams, index, len(events) + 1))
            )
            await pair.suffer(event, node)
            await publishing
        await until_counted(pair.workers, topics, 120)
        windows, alerts = await topics.windows(), await topics.alerts()
    except AssertionError:
        for worker in pair.workers:
            print(worker.name, worker.log[-4000:], file=sys.stderr)
        raise
    finally:
        supervising.cancel()
        await asyncio.wait({supervising})
        for worker in pair.workers:
            await asyncio.to_thread(worker.kill)
    wanted = await asyncio.to_thread(undisturbed_run, streams)
    verdict.compare(windows, wanted.windows)
    verdict.compare(alerts, wanted.alerts)
    verdict.windows, verdict.alerts = len(wanted.windows), len(wanted.alerts)
    verdict.events = pair.counts
    verdict.seconds = time.monotonic() - begin
    return verdict


def bit_of(streams: Streams, index: int, bits: int) -> Streams:
    """The ``index``-th of ``bits`` equal parts of every stream."""
    return [
        stream[index * len(stream) // bits : (index + 1) * len(stream) // bits]
        for stream in streams
    ]


def main() -> int:
    """Run, print a row for each run, and fail if one was not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=int, default=60, help="length of the recording")
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        "run  lines      kills  broker  zombies  windows  alerts  missing  double  other  seconds"
    )
    clean = True
    for number in range(given.runs):
        plan = Plan(given.lines, given.minutes, kills=given.kills, seed=given.seed + number)
        streams = exported((line.rstrip(b"\n") for line in simulate(plan.recording())), 200)
        with tempfile.TemporaryDirectory(prefix="hubblewatch-crash-") as name:
            folder = Path(name)
            with KafkaNode(folder / "kafka") as node:
                verdict = asyncio.run(crash_run(plan, folder / "workers", node, streams))
        kills = sum(n for event, n in verdict.events.items() if event.startswith("killed"))
        print(
            f"{number + 1:<4} {verdict.lines:<10} {kills:<6} {verdict.events['broker killed']:<7} "
            f"{verdict.events['zombie']:<8} {verdict.windows:<8} {verdict.alerts:<7} "
            f"{verdict.missing:<8} {verdict.double:<7} {verdict.other:<6} {verdict.seconds:.0f}",
            flush=True,
        )
        print("     " + ", ".join(f"{n} {event}" for event, n in sorted(verdict.events.items())))
        for example in verdict.examples:
            print("     " + example)
        clean &= verdict.is_clean
    print("nothing missing, nothing double" if clean else "NOT CLEAN")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
