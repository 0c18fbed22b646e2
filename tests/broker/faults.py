"""Exports a Hubble that fails in every way to a Kafka that restarts, then looks what is missing.

``python -m tests.broker.faults --flows 500000 --faults 50``. A Relay in this process hands out
flows over mutual TLS while it restarts, hangs, answers slowly, repeats itself, declares losses and
changes of its nodes' states, hides a node, refuses the field mask and gets new certificates. The
exporter is a process of its own. In the end every flow must be in Kafka once after de-duplication,
in order, the losses must be those declared, and the exporter must have stayed small.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
from deploy.local.kafka import Authority, KafkaNode
from tests.broker.faulty_hubble import NODES, FaultyHubble
from tests.broker.reading import FlowTopic

from hubblewatch.kafka.topic_admin import apply_topics
from hubblewatch.settings import KafkaSettings
from hubblewatch.source.hubble.proto import relay_pb2

SERVER_NAME = "ui.hubble-relay.cilium.io"
LOSS_SOURCES = ("PERF_EVENT_RING_BUFFER", "OBSERVER_EVENTS_QUEUE")
PARTITIONS = 6
RSS_LIMIT_MB = 150
ARRIVE_SECONDS = 60.0
"""Without anything new for so long, nothing more comes."""

STEP_SECONDS = 0.1


@dataclass(frozen=True)
class Plan:
    """What one run does."""

    flows: int = 500_000
    faults: int = 50
    kafka_restarts: int = 2
    flows_a_second: int = 2_500
    idle_seconds: float = 20.0
    seed: int = 1

    def order(self) -> list[str]:
        """The faults one after the other: each kind as often as any other, in a random order."""
        kinds = sorted(Faults.KINDS)
        random.Random(self.seed).shuffle(kinds)
        return [kinds[number % len(kinds)] for number in range(self.faults)]


@dataclass
class Verdict:
    """What a run led to; all that is not a figure must be empty."""

    flows: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    kafka_restarts: int = 0
    missing: int = 0
    missing_stretches: list[str] = field(default_factory=list)
    """Of missing flows, node and times."""
    timeline: list[str] = field(default_factory=list)
    """When each fault began."""
    foreign: int = 0
    disordered: int = 0
    repeated: int = 0
    """Flows that are in Kafka more than once, which de-duplication passes by."""
    wrong_losses: list[str] = field(default_factory=list)
    unfounded_gaps: list[str] = field(default_factory=list)
    """Gaps told of a node that was not declared away then."""
    untold_states: list[str] = field(default_factory=list)
    peak_rss_mb: float = 0.0
    cpu_seconds: float = 0.0
    idle_cpu_percent: float = 0.0
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing, wrong or too large."""
        wrong = self.missing or self.foreign or self.disordered
        told = self.wrong_losses or self.unfounded_gaps or self.untold_states
        return not (wrong or told or self.peak_rss_mb >= RSS_LIMIT_MB)


class Faults:
    """Does one fault at a time to a Hubble, and waits until its stream goes on where that shows."""

    def __init__(self, hubble: FaultyHubble, renew: Callable[[], None], seed: int) -> None:
        self._hubble = hubble
        self._renew = renew
        self._random = random.Random(seed)

    def restart(self) -> None:
        """The server goes and comes back."""
        self._hubble.stop()
        time.sleep(self._random.uniform(0.1, 1.0))
        self._hubble.start()

    def half_open(self) -> None:
        """All connections stay open and nothing answers."""
        asked = len(self._hubble.requests)
        self._hubble.hangs = True
        # The exporter gives the stream up and asks anew, which hangs too.
        self._await(lambda: len(self._hubble.requests) > asked)
        self._hubble.hangs = False

    def slow(self) -> None:
        """Answers and flows come slowly."""
        self._hubble.reply_seconds, self._hubble.pause_seconds = 0.8, 0.001
        time.sleep(2.0)
        self._hubble.reply_seconds = self._hubble.pause_seconds = 0.0

    def duplicates(self) -> None:
        """After a break more comes again than was asked for, and some of it twice."""
        self._hubble.repeats = True
        self._broken()
        time.sleep(1.0)
        self._hubble.repeats = False

    def loss(self) -> None:
        """Events are declared lost, and the stream breaks a little later."""
        for source in LOSS_SOURCES:
            self._hubble.lose(self._random.randint(1, 500), source)
        time.sleep(0.3)
        self._broken()

    def node_state(self) -> None:
        """A node is in error, says nothing for a while, and comes back."""
        node = self._random.choice(NODES)
        self._hubble.mute.add(node)
        self._hubble.change(node, relay_pb2.NODE_UNAVAILABLE)
        time.sleep(1.0)
        self._hubble.change(node, relay_pb2.NODE_CONNECTED)
        self._hubble.mute.discard(node)

    def hidden_node(self) -> None:
        """Relay reaches a node and does not bring its flows until it is asked anew."""
        self._hubble.hidden.add(self._random.choice(NODES))
        # For longer than the overlap, and too short for a check to be sure of it.
        time.sleep(4.0)
        self._broken()

    def mask(self) -> None:
        """After a break the server does not know a field of the mask."""
        self._hubble.refuses_mask = "invalid fieldmask"
        self._broken()

    def certificates(self) -> None:
        """Authority and certificates are renewed, and the server restarts with its own."""
        self._hubble.stop()
        self._renew()
        self._hubble.start()

    KINDS = (
        "certificates",
        "duplicates",
        "half_open",
        "hidden_node",
        "loss",
        "mask",
        "node_state",
        "restart",
        "slow",
    )

    def _broken(self) -> None:
        asked = len(self._hubble.requests)
        self._hubble.break_streams()
        self._await(lambda: len(self._hubble.requests) > asked)

    def _await(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the exporter does not ask again"
            time.sleep(0.02)


class ExporterProcess:
    """``hubblewatch export`` of one Hubble over mutual TLS, with a spool."""

    def __init__(self, folder: Path, kafka: KafkaSettings, hubble: FaultyHubble, tls: Path) -> None:
        self._log_file = folder / "exporter.log"
        self._environment = {
            **os.environ,
            "HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "HUBBLEWATCH_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "HUBBLEWATCH_KAFKA__REQUEST_TIMEOUT_SECONDS": "5",
            "HUBBLEWATCH_EXPORT__SPOOL__DIRECTORY": str(folder / "spool"),
            "HUBBLEWATCH_HUBBLE__ADDRESS": hubble.address,
            "HUBBLEWATCH_HUBBLE__TLS__ENABLED": "true",
            "HUBBLEWATCH_HUBBLE__TLS__CA_FILE": str(tls / "ca.pem"),
            "HUBBLEWATCH_HUBBLE__TLS__CERT_FILE": str(tls / "client.crt"),
            "HUBBLEWATCH_HUBBLE__TLS__KEY_FILE": str(tls / "client.key"),
            "HUBBLEWATCH_HUBBLE__TLS__SERVER_NAME": SERVER_NAME,
            "HUBBLEWATCH_HUBBLE__CHECK_SECONDS": "1",
            "HUBBLEWATCH_HUBBLE__CHECK_TIMEOUT_SECONDS": "1.5",
            "HUBBLEWATCH_HUBBLE__BACKOFF_SECONDS": "0.1",
            "HUBBLEWATCH_HUBBLE__MAX_BACKOFF_SECONDS": "0.5",
            "HUBBLEWATCH_HUBBLE__OVERLAP_SECONDS": "3",
        }
        self._process: psutil.Popen | None = None

    def start(self) -> None:
        """Start it; its log goes to a file."""
        with self._log_file.open("ab") as log:
            self._process = psutil.Popen(
                [sys.executable, "-m", "hubblewatch", "export"], env=self._environment, stderr=log
            )

    @property
    def log(self) -> str:
        """What it said."""
        return self._log_file.read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """CPU time it took since its start."""
        assert self._process is not None
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def peak_rss_mb(self) -> float:
        """The most memory it had at any time, in megabytes."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [one for one in status.splitlines() if one.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024 / 1e6

    def stop(self) -> int:
        """End it in order; give its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return int(self._process.wait(30))

    def kill(self) -> None:
        """End it at once if it still runs."""
        if self._process is not None and self._process.is_running():
            self._process.kill()
            self._process.wait(10)


async def faults_run(plan: Plan, folder: Path, node: KafkaNode) -> Verdict:
    """Do one run; raises AssertionError if it cannot come to an end."""
    begin = time.monotonic()
    verdict = Verdict(flows=plan.flows)
    settings = KafkaSettings(
        bootstrap_servers=node.bootstrap,
        topic_prefix=f"faults-{plan.seed}.",
        partitions=PARTITIONS,
        request_timeout_seconds=10,
    )
    await apply_topics(settings)
    tls = folder / "tls"
    _renew(tls)
    hubble = FaultyHubble(lambda: _credentials(tls))
    hubble.start()
    exporter = ExporterProcess(folder, settings, hubble, tls)
    exporter.start()
    try:
        verdict.timeline.append(f"{time.time():.3f} start")
        await _until(lambda: bool(hubble.requests), "the exporter does not ask")
        speaking = asyncio.create_task(asyncio.to_thread(_speak, hubble, plan))
        faults = Faults(hubble, lambda: _renew(tls), plan.seed)
        order = plan.order()
        restarts = {
            len(order) * (number + 1) // (plan.kafka_restarts + 1)
            for number in range(plan.kafka_restarts)
        }
        restarting: asyncio.Task[None] | None = None
        for number, kind in enumerate(order):
            if number in restarts:
                restarting = asyncio.create_task(asyncio.to_thread(node.restart, crash=True))
                verdict.kafka_restarts += 1
            verdict.timeline.append(f"{time.time():.3f} {kind}")
            await asyncio.to_thread(getattr(faults, kind))
            verdict.faults[kind] += 1
            await asyncio.sleep(0.3)
            if restarting is not None and restarting.done():
                restarting.result()
        if restarting is not None:
            await restarting
        await speaking
        await _judge(verdict, hubble, settings)
        verdict.cpu_seconds = exporter.cpu_seconds()
        verdict.idle_cpu_percent = await _idle_cpu(exporter, plan.idle_seconds)
        verdict.peak_rss_mb = exporter.peak_rss_mb()
        verdict.streams = len(hubble.requests)
        assert await asyncio.to_thread(exporter.stop) == 0
        if not verdict.is_clean:
            print(exporter.log, file=sys.stderr)
    except AssertionError:
        print(exporter.log[-6000:], file=sys.stderr)
        raise
    finally:
        exporter.kill()
        await asyncio.to_thread(hubble.stop)
    verdict.seconds = time.monotonic() - begin
    return verdict


def _speak(hubble: FaultyHubble, plan: Plan) -> None:
    """Make all flows at the plan's pace."""
    begin, made = time.monotonic(), 0
    while made < plan.flows:
        due = min(plan.flows, int((time.monotonic() - begin) * plan.flows_a_second))
        hubble.speak(due - made)
        made = due
        time.sleep(STEP_SECONDS)


async def _judge(verdict: Verdict, hubble: FaultyHubble, settings: KafkaSettings) -> None:
    """Read Kafka until all is there or nothing more comes, and compare."""
    wanted = {uuid for uuid, _ in hubble.made}
    losses = {source: hubble.lost[source] for source in LOSS_SOURCES if hubble.lost[source]}
    async with FlowTopic(settings) as topic:
        end, known = time.monotonic() + ARRIVE_SECONDS, 0
        while time.monotonic() < end:
            await topic.read_on()
            if len(topic.flows) > known:
                end, known = time.monotonic() + ARRIVE_SECONDS, len(topic.flows)
            if topic.flows.keys() >= wanted and all(one == losses for one in topic.losses()):
                break
            await asyncio.sleep(0.5)
    verdict.missing = len(wanted - topic.flows.keys())
    verdict.missing_stretches = _stretches(hubble, wanted - topic.flows.keys())
    verdict.foreign = len(topic.flows.keys() - wanted)
    verdict.repeated = sum(times > 1 for times in topic.flows.values())
    node_of = dict(hubble.made)
    for order in topic.order:
        by_node: dict[str, list[str]] = defaultdict(list)
        for uuid in order:
            by_node[node_of.get(uuid, "")].append(uuid)
        verdict.disordered += sum(names != sorted(names) for names in by_node.values())
    for partition, told in enumerate(topic.losses()):
        if told != losses:
            verdict.wrong_losses.append(f"partition {partition}: {told}, declared {losses}")
    verdict.unfounded_gaps = [
        f"{node} from {first / 1e9:.3f} to {last / 1e9:.3f}"
        for node, first, last in sorted(topic.gaps)
        if not any(
            node == away and first < end_ns and last > begin_ns
            for away, begin_ns, end_ns in hubble.outages
        )
    ]
    for partition, states in enumerate(topic.states):
        for change in set(hubble.states) - states:
            verdict.untold_states.append(f"partition {partition}: {change}")


def _stretches(hubble: FaultyHubble, missing: set[str]) -> list[str]:
    """Tell of each node's missing flows from when to when they were made, and how many."""
    found: dict[str, list[int]] = defaultdict(list)
    for (uuid, node), made_ns in zip(hubble.made, hubble.made_ns, strict=True):
        if uuid in missing:
            found[node].append(made_ns)
    return [
        f"{len(times)} of {node} from {times[0] / 1e9:.3f} to {times[-1] / 1e9:.3f}"
        for node, times in sorted(found.items())
    ]


async def _idle_cpu(exporter: ExporterProcess, seconds: float) -> float:
    """Give the percent of a core that the exporter takes while Hubble has nothing to say."""
    await asyncio.sleep(min(5.0, seconds))
    begin, before = time.monotonic(), exporter.cpu_seconds()
    await asyncio.sleep(seconds)
    return 100 * (exporter.cpu_seconds() - before) / (time.monotonic() - begin)


async def _until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


def _renew(folder: Path) -> None:
    authority = Authority(folder, "ca")
    authority.issue("server", ["*.hubble-relay.cilium.io"])
    authority.issue("client")


def _credentials(folder: Path) -> grpc.ServerCredentials:
    key, certificate = ((folder / f"server.{end}").read_bytes() for end in ("key", "crt"))
    return grpc.ssl_server_credentials(
        [(key, certificate)],
        root_certificates=(folder / "ca.pem").read_bytes(),
        require_client_auth=True,
    )


def main() -> int:
    """Run, print what came of it, and fail if it is not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flows", type=int, default=500_000)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--kafka-restarts", type=int, default=2)
    parser.add_argument("--rate", type=int, default=2_500, help="flows a second")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plan = Plan(given.flows, given.faults, given.kafka_restarts, given.rate, seed=given.seed)
    with tempfile.TemporaryDirectory(prefix="hubblewatch-faults-") as name:
        folder = Path(name)
        with KafkaNode(folder / "kafka") as node:
            verdict = asyncio.run(faults_run(plan, folder, node))
    print(f"flows         {verdict.flows}, {verdict.repeated} of them more than once in Kafka")
    print(f"faults        {verdict.faults.total()}: {dict(sorted(verdict.faults.items()))}")
    print(f"              {verdict.streams} streams, {verdict.kafka_restarts} restarts of Kafka")
    print(f"missing       {verdict.missing}, foreign {verdict.foreign}")
    print(f"disordered    {verdict.disordered} sequences of a node in a partition")
    print(f"losses        {verdict.wrong_losses or 'as declared'}")
    print(f"gaps          {verdict.unfounded_gaps or 'none but of nodes declared away'}")
    print(f"node states   {verdict.untold_states or 'as declared'}")
    print(
        f"exporter      {verdict.peak_rss_mb:.0f} MB at most, {verdict.cpu_seconds:.1f} s of CPU,"
    )
    print(f"              {verdict.idle_cpu_percent:.1f} % of a core while Hubble is idle")
    if not verdict.is_clean:
        print("\n".join([*verdict.missing_stretches, *verdict.timeline]))
    print(f"{'clean' if verdict.is_clean else 'NOT CLEAN'} after {verdict.seconds:.0f} s")
    return 0 if verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
