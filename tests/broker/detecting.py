"""Recordings in Kafka, and workers as processes of their own that read them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.kafka.partitioned import Outcome

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.kafka.pulse import PulseSettings
from hubblewatch.kafka.router import Router
from hubblewatch.kafka.topic_admin import apply_topics
from hubblewatch.settings import KafkaSettings

PARTITIONS = 12
LINES_A_RECORD = 50
LAG_EVERY_SECONDS = 6.0

Streams = list[list[bytes]]
"""Records of each partition."""


def exported(lines: Iterable[bytes], lines_a_record: int = LINES_A_RECORD) -> Streams:
    """The records that an exporter makes of a recording, for each partition."""
    router = Router(PARTITIONS, PulseSettings("exporter-0"), _refuse)
    waiting: Streams = [[] for _ in range(PARTITIONS)]
    streams: Streams = [[] for _ in range(PARTITIONS)]

    def drain(least: int) -> None:
        for stream, held, routed in zip(streams, waiting, router.drain(), strict=True):
            held.extend(encode_lines(routed).splitlines())
            while len(held) >= least:
                stream.append(b"\n".join(held[:lines_a_record]))
                del held[:lines_a_record]

    iterator = iter(lines)
    while batch := list(islice(iterator, 64)):
        router.take(decode_lines(batch, _refuse))
        drain(lines_a_record)
    router.finish()
    drain(1)
    return streams


def _refuse(reject: Reject) -> None:
    raise AssertionError(reject)


def wanted_records(outcome: Outcome) -> tuple[list[str], list[str]]:
    """What the topics are to hold after ``outcome``: windows as JSON, and alert ids, sorted."""
    windows = [json.dumps(_plain(window), sort_keys=True) for window in outcome.windows]
    return sorted(windows), sorted(alert[-1] for alert in outcome.alerts)


def _plain(window: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(window)


class Topics:
    """The topics of one test, written and read with plain clients."""

    def __init__(self, bootstrap: str, prefix: str, partitions: int = PARTITIONS) -> None:
        self.settings = KafkaSettings(
            bootstrap_servers=bootstrap,
            topic_prefix=prefix,
            partitions=partitions,
            replication_factor=1,
            request_timeout_seconds=10,
        )
        self.prefix = prefix

    async def create(self) -> None:
        """Create all five."""
        report = await apply_topics(self.settings)
        assert report.as_wanted

    async def publish(self, streams: Sequence[Sequence[bytes]], pause_seconds: float = 0.0) -> None:
        """Write each partition's records, side by side as they come in time."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap_servers,
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=5,
        )
        await producer.start()
        try:
            sent = []
            turns = max(map(len, streams))
            for turn in range(turns):
                for partition, stream in enumerate(streams):
                    # Streams of different length keep step with each other.
                    length = len(stream)
                    for value in stream[turn * length // turns : (turn + 1) * length // turns]:
                        sent.append(  # noqa: PERF401
                            await producer.send(f"{self.prefix}flows", value, partition=partition)
                        )
                if pause_seconds:
                    await asyncio.sleep(pause_seconds)
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def read(self, name: str) -> list[Any]:
        """All committed records of a topic, up to its end as it is now."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            topic = self.prefix + name
            await consumer._client.force_metadata_update()
            partitions = [
                TopicPartition(topic, number)
                for number in range(1 if name == "rejects" else self.settings.partitions)
            ]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            records = []
            while True:
                at = [await consumer.position(one) >= ends[one] for one in partitions]
                if all(at):
                    return records
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
        finally:
            await consumer.stop()

    async def windows(self) -> list[str]:
        """The committed windows as JSON, sorted."""
        return sorted(
            json.dumps(json.loads(record.value), sort_keys=True)
            for record in await self.read("windows")
        )

    async def alerts(self) -> list[str]:
        """The committed alert records as JSON, sorted."""
        return sorted(
            json.dumps(json.loads(record.value), sort_keys=True)
            for record in await self.read("alerts")
        )

    async def alert_ids(self) -> list[str]:
        """The ids of the committed alerts, sorted."""
        return sorted(json.loads(record.value)["id"] for record in await self.read("alerts"))


class WorkerProcess:
    """``hubblewatch detect`` with a settings file of its own; ``entry`` runs a variant of it."""

    def __init__(
        self,
        folder: Path,
        topics: Topics,
        name: str = "worker-0",
        *,
        entry: Sequence[str] = ("hubblewatch",),
        variables: dict[str, str] | None = None,
        kafka: dict[str, Any] | None = None,
        other: dict[str, Any] | None = None,
        **worker: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log_file = folder / f"{name}.log"
        self._config = folder / f"{name}.yaml"
        settings = {
            "kafka": {
                "bootstrap_servers": topics.settings.bootstrap_servers,
                "topic_prefix": topics.prefix,
                "request_timeout_seconds": 10,
                **(kafka or {}),
            },
            "worker": {
                "group": f"{topics.prefix}group",
                "session_timeout_seconds": 6,
                **worker,
            },
            "serve": {"port": 0},
            **(other or {}),
        }
        self._config.write_text(json.dumps(settings))  # JSON is YAML
        self._entry = entry
        self._variables = variables or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begin = 0

    def start(self, **variables: str) -> None:
        """Start the process; returns at once."""
        self._log_begin = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._entry, "detect", "--config", str(self._config)],
                stdout=log,
                stderr=log,
                env={**os.environ, **self._variables, **variables},
                cwd=Path(__file__).parents[2],
            )

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What this start of it has logged."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_bytes()[self._log_begin :].decode(errors="replace")

    @property
    def port(self) -> int | None:
        """The port of its HTTP server, once it is there."""
        found = re.search(r"serving HTTP on port (\d+)", self.log)
        return None if found is None else int(found[1])

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a path; 0 where nobody answers."""
        if self.port is None:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        body = self.get("/metrics")[1]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in body.splitlines()
            if re.match(rf"{name}(\{{.*\}})? ", line)
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, within_seconds: float = 15.0) -> float:
        """Stop in order; give the seconds that took."""
        begin = time.monotonic()
        self.send(signal.SIGTERM)
        self.wait(within_seconds)
        return time.monotonic() - begin

    def wait(self, within_seconds: float = 15.0) -> int:
        """Wait for the end; give the exit code."""
        assert self._process is not None
        return self._process.wait(within_seconds)

    def kill(self) -> None:
        """End it at once, frozen or not."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait(10)


async def until(
    condition: Callable[[], Any], within_seconds: float = 40.0, every_seconds: float = 0.2
) -> None:
    """Wait until ``condition`` (which may be a coroutine function) holds; fail when it does not."""
    end = time.monotonic() + within_seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < end, f"not within {within_seconds:g} s"
        await asyncio.sleep(every_seconds)


async def until_counted(
    workers: Sequence[WorkerProcess], topics: Topics, within_seconds: float = 60.0
) -> None:
    """Wait until nothing of what is in the flows now waits for these workers."""
    # Lag is asked for every five seconds: what is shown now may be from before.
    await asyncio.sleep(LAG_EVERY_SECONDS)
    await until(
        lambda: asyncio.to_thread(_are_done, workers, topics.settings.partitions),
        within_seconds,
        0.5,
    )


def _are_done(workers: Sequence[WorkerProcess], partitions: int) -> bool:
    assigned = 0.0
    for worker in workers:
        if worker.get("/readyz")[0] != 200:
            return False
        body = worker.get("/metrics")[1]
        lags = re.findall(r"^hubblewatch_consumer_lag_records\{.*\} (\S+)$", body, re.MULTILINE)
        if any(float(lag) for lag in lags):
            return False
        assigned += len(lags)
    return assigned == partitions


def difference(found: Sequence[str], wanted: Sequence[str]) -> str:
    """What is missing and what is surplus, in one readable text; empty when nothing is."""
    missing = list((Counter(wanted) - Counter(found)).elements())
    surplus = list((Counter(found) - Counter(wanted)).elements())
    if not missing and not surplus:
        return ""
    shown = [f"- {one}" for one in missing[:2]] + [f"+ {one}" for one in surplus[:2]]
    return "\n".join([f"{len(missing)} missing, {len(surplus)} surplus", *shown])
