"""`hubblewatch export` to a real broker: everything arrives, in order, whatever happens."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from deploy.local.kafka import KafkaNode
from tests.builders import L7, flow
from tests.connections import tcp
from tests.kafka.partitioned import Outcome, route

from hubblewatch.assemble import open_redaction
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.schema import Line
from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.topic_admin import apply_topics
from hubblewatch.kafka.topics import topic_names
from hubblewatch.settings import KafkaSettings, Settings
from hubblewatch.simulate import SimulationConfig, Size, simulate

PARTITIONS = 3


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 40,000 lines."""
    path = tmp_path_factory.mktemp("recordings") / "recording.jsonl"
    config = SimulationConfig(seed=3, minutes=6, size=Size.SMALL, rate=8.0)
    path.write_bytes(b"".join(simulate(config)))
    return path


def expected(recording: Path) -> list[list[Line]]:
    """What each partition must hold: what the router gives, redacted."""
    streams = route(recording.read_bytes().splitlines(), Outcome(), PARTITIONS)
    partitions = [decode_lines(stream, print) for stream in streams]
    redaction = open_redaction(Settings())
    for lines in partitions:
        redaction.redact(lines)
    return partitions


def without_names(lines: list[Line]) -> list[Line]:
    """The exporter's name is this machine's."""
    for line in lines:
        if line.heartbeat is not None:
            line.heartbeat.exporter = "any"
    return lines


@asynccontextmanager
async def exporting(
    settings: KafkaSettings, *arguments: str, stdin: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command in a process of its own, with few partitions and short timeouts."""
    environment = {
        **os.environ,
        "HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "HUBBLEWATCH_KAFKA__TOPIC_PREFIX": settings.topic_prefix,
        "HUBBLEWATCH_KAFKA__REQUEST_TIMEOUT_SECONDS": "5",
        "HUBBLEWATCH_SERVE__PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hubblewatch",
        "export",
        *arguments,
        env=environment,
        stdin=stdin,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until_said(process: asyncio.subprocess.Process, text: bytes) -> None:
    """Wait until it says something on standard error; before, it might not hear signals yet."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while text not in (line := await process.stderr.readline()):
            assert line, f"it ended without a word of {text!r}"


async def done(process: asyncio.subprocess.Process, seconds: float = 60) -> str:
    """Wait for its end; what it said on standard error."""
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.read(), seconds)).decode()
    assert await process.wait() == 0, said[:20_000]
    return said


async def read(settings: KafkaSettings, topic: str, partitions: int) -> list[list[object]]:
    """All records of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(auto_offset_reset="earliest", **connection_arguments(settings))
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: dict[TopicPartition, list[object]] = {place: [] for place in places}
        async with asyncio.timeout(30):
            for place in places:
                await consumer.seek_to_beginning(place)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[place] += records
        return [found[place] for place in places]
    finally:
        await consumer.stop()


async def exported(settings: KafkaSettings) -> list[list[Line]]:
    """The lines of each partition of the flow topic."""
    records = await read(settings, topic_names(settings).flows, PARTITIONS)
    lines = []
    for stream in records:
        for record in stream:
            assert record.headers == (("hubblewatch", b"1"),)
            assert 1 <= record.value.count(b"\n") + 1 <= 500
            assert len(record.value) <= 512 * 1024
        joined = [one for record in stream for one in record.value.split(b"\n")]
        lines.append(without_names(decode_lines(joined, print)))
    return lines


def without_repetition(got: list[Line], want: list[Line]) -> list[Line]:
    """Drop what a replaced producer sent again: whole stretches that were there just before."""
    kept: list[Line] = []
    for line in got:
        if len(kept) < len(want) and line == want[len(kept)]:
            kept.append(line)
    return kept


async def test_a_recording_arrives_whole_and_in_order(kafka_settings, recording):
    await apply_topics(kafka_settings)
    async with exporting(kafka_settings, "--from", str(recording)) as process:
        said = await done(process)
    want = [without_names(lines) for lines in expected(recording)]
    assert await exported(kafka_settings) == want
    lines = recording.read_bytes().count(b"\n")
    assert f"{lines:,} lines" in said
    assert "rejected" not in said


async def test_kafka_may_start_after_the_exporter(kafka_engine, tmp_path, recording):
    node = KafkaNode(tmp_path / "kafka", engine=kafka_engine)
    settings = KafkaSettings(
        bootstrap_servers=node.bootstrap,
        topic_prefix="late.",
        partitions=PARTITIONS,
        request_timeout_seconds=5,
    )
    async with exporting(settings, "--from", str(recording)) as process:
        await asyncio.sleep(2)
        try:
            await asyncio.to_thread(node.start)
            await asyncio.sleep(1)
            await apply_topics(settings)
            said = await done(process)
            assert await exported(settings) == [without_names(x) for x in expected(recording)]
        finally:
            await asyncio.to_thread(node.stop)
    assert "waiting for Kafka" in said
    assert said.count("\n") < 15


async def test_a_broker_that_is_killed_and_comes_back_has_everything_in_order(own_kafka, recording):
    settings = KafkaSettings(
        bootstrap_servers=own_kafka.bootstrap,
        topic_prefix="killed.",
        partitions=PARTITIONS,
        request_timeout_seconds=5,
    )
    await apply_topics(settings)
    async with exporting(settings, "--from", str(recording), "--speed", "40") as process:
        await asyncio.sleep(3.5)
        assert process.returncode is None
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.sleep(4)
        assert process.returncode is None
        await asyncio.to_thread(own_kafka.start)
        said = await done(process)
    got = await exported(settings)
    want = [without_names(lines) for lines in expected(recording)]
    for stream, wanted in zip(got, want, strict=True):
        assert without_repetition(stream, wanted) == wanted
        assert len(stream) < 2 * len(wanted)
    assert said.count("\n") < 60


async def test_rejected_lines_are_kept_with_their_reason_and_their_shape(
    kafka_settings, recording, tmp_path
):
    await apply_topics(kafka_settings)
    lines = recording.read_bytes().splitlines()[:100]
    spoilt = tmp_path / "spoilt.jsonl"
    spoilt.write_bytes(b"\n".join([*lines[:50], b"{broken", b'{"other": 1}', *lines[50:]]))
    async with exporting(kafka_settings, "--from", str(spoilt)) as process:
        said = await done(process)
    assert re.search(r"1 lines? rejected: malformed", said)
    ((first, second),) = await read(kafka_settings, topic_names(kafka_settings).rejects, 1)
    assert (first.value, dict(first.headers)["reason"]) == (b"{x", b"malformed")
    assert dict(first.headers)["place"].endswith(b"spoilt.jsonl:51")
    assert (second.value, dict(second.headers)["reason"]) == (b'{"x": 0}', b"unknown")


async def test_headers_and_urls_reach_no_topic(kafka_settings, tmp_path):
    http = {
        "method": "GET",
        "url": "http://ann:pa55@db/pay?card=4111",
        "headers": [{"key": "Cookie", "value": "id=s3cr3t"}],
    }
    whole = flow(at=1, kind=L7, l7={"type": "REQUEST", "http": http})
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"\n".join([whole, whole[: whole.index(b"s3cr3t") + 6], *tcp(at=2)]))
    await apply_topics(kafka_settings)
    async with exporting(kafka_settings, "--from", str(path)) as process:
        await done(process)
    names = topic_names(kafka_settings)
    flows = await read(kafka_settings, names.flows, kafka_settings.partitions)
    sent = b"".join(record.value for records in flows for record in records)
    ((refused,),) = await read(kafka_settings, names.rejects, 1)
    assert b'"method":"GET"' in sent
    assert dict(refused.headers)["reason"] == b"malformed"
    told = sent + refused.value + b"".join(value for _, value in refused.headers)
    assert not [word for word in (b"Cookie", b"s3cr3t", b"pa55", b"4111", b"pay") if word in told]


async def test_lines_of_a_quiet_pipe_arrive_without_its_end(kafka_settings, recording):
    await apply_topics(kafka_settings)
    lines = recording.read_bytes().splitlines(keepends=True)[:200]
    async with exporting(kafka_settings, "--from", "-", stdin=asyncio.subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"".join(lines))
        await process.stdin.drain()
        deadline = time.monotonic() + 30
        flows = 0
        while flows < 190 and time.monotonic() < deadline:
            await asyncio.sleep(0.3)
            streams = await exported(kafka_settings)
            flows = sum(line.flow is not None for stream in streams for line in stream)
        assert flows >= 190
        process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 15) == 130
        assert time.monotonic() - begin < 5


async def test_an_exporter_that_waits_for_kafka_ends_when_told(tmp_path, recording):
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:9", request_timeout_seconds=5)
    async with exporting(settings, "--from", str(recording)) as process:
        await until_said(process, b"waiting for Kafka")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 130


async def test_an_export_that_kafka_left_waits_for_it_once_and_ends(own_kafka, recording):
    settings = KafkaSettings(
        bootstrap_servers=own_kafka.bootstrap,
        topic_prefix="left.",
        partitions=PARTITIONS,
        request_timeout_seconds=5,
    )
    await apply_topics(settings)
    async with exporting(settings, "--from", str(recording), "--speed", "recorded") as process:
        async with asyncio.timeout(60):
            while True:
                if any(await exported(settings)):
                    break
                await asyncio.sleep(0.2)
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.sleep(2)
        process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 30) == 130
        # Nine, and what a busy machine adds.
        assert time.monotonic() - begin < 15
