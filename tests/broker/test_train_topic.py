"""A model from the windows that a worker closed is the model from the recording of the flows."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.broker.detecting import Topics, WorkerProcess, exported, until, until_counted

from hubblewatch.cli import main
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind
from hubblewatch.kafka.window_range import TimeRange, read_windows
from hubblewatch.model.store import read_manifest
from hubblewatch.settings import KafkaSettings
from hubblewatch.simulate import SimulationConfig, simulate
from hubblewatch.train import make
from hubblewatch.window.closed import OUTBOUND, ClosedWindow, Subject
from hubblewatch.window.recorded import NewerWindowError

CONFIG = SimulationConfig(seed=44, minutes=35, rate=1.5, namespaces=6, workloads=14)


@pytest.fixture
def topics(kafka, topic_prefix):
    return Topics(kafka.bootstrap, topic_prefix)


async def test_the_topic_and_the_recording_give_the_same_model(topics, tmp_path, monkeypatch):
    monkeypatch.setattr(make, "LEAST_WINDOWS", 50)
    lines = [line.rstrip(b"\n") for line in simulate(CONFIG)]
    recording = tmp_path / "usual.jsonl"
    recording.write_bytes(b"\n".join(lines) + b"\n")
    await topics.create()
    worker = WorkerProcess(tmp_path, topics, other={"model": {"enabled": False}})
    worker.start()
    try:
        await until(lambda: worker.get("/readyz")[0] == 200)
        await topics.publish(exported(lines))
        await until_counted([worker], topics)
    finally:
        worker.kill()
    settings = tmp_path / "settings.yaml"
    settings.write_bytes(msgspec.json.encode({
        "kafka": {
            "bootstrap_servers": topics.settings.bootstrap_servers,
            "topic_prefix": topics.prefix,
        }
    }))  # fmt: skip

    async def train(*source: str):
        out = tmp_path / source[0].strip("-").replace("/", "-")
        order = ["train", "--out", str(out), "--config", str(settings), "--quiet", *source]
        assert await asyncio.to_thread(main, order) == 0
        return read_manifest(out)

    from_recording = await train(str(recording))
    from_topic = await train("--from-topic", "--since", "2015-01-02T00:00:00Z")
    assert from_topic.training.windows == from_recording.training.windows > 50
    assert from_topic.file.sha256 == from_recording.file.sha256
    assert from_topic.threshold == from_recording.threshold
    assert "windows from 2015-01-02" in from_topic.training.sources[0]


async def put(settings: KafkaSettings, values: list[bytes], *, commit: bool) -> None:
    """Write values in a transaction that is committed or given up."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        transactional_id=f"{settings.topic_prefix}test",
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        for place, value in enumerate(values):
            await producer.send_and_wait(
                f"{settings.topic_prefix}windows", value, partition=place % settings.partitions
            )
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()
    await until_settled(settings)


async def until_settled(settings: KafkaSettings) -> None:
    """Wait for the marks of ended transactions, which a broker writes after it has answered."""
    places = [
        TopicPartition(f"{settings.topic_prefix}windows", number)
        for number in range(settings.partitions)
    ]
    readers = [
        AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers, isolation_level=level)
        for level in ("read_committed", "read_uncommitted")
    ]
    for reader in readers:
        await reader.start()
    try:
        async with asyncio.timeout(30):
            ends: list[dict[TopicPartition, int]] = []
            while not ends or ends[0] != ends[1]:
                ends = [await reader.end_offsets(places) for reader in readers]
    finally:
        for reader in readers:
            await reader.stop()


def windows(first: int, last: int, **changes) -> list[bytes]:
    made = []
    for number in range(first, last):
        begin = 1_767_312_000 + number * 60
        window = ClosedWindow(Subject("shop", f"cart-{number}", OUTBOUND), begin, begin + 60, "c")
        made.append(msgspec.json.encode(msgspec.structs.replace(window.record(), **changes)))
    return made


async def test_windows_of_a_range_come_committed_and_in_order(topics):
    settings = topics.settings
    await topics.create()
    await put(settings, windows(0, 40), commit=True)
    await put(settings, [*windows(40, 50), b"no window"], commit=False)
    await put(settings, [*windows(50, 60), b"no window"], commit=True)
    taken = []
    wanted = TimeRange(1_767_312_000 + 10 * 60, 1_767_312_000 + 55 * 60)
    progress = await read_windows(settings, wanted, taken.append)
    numbers = [int(w.workload.split("-")[1]) for several in taken for w in several]
    assert numbers == [*range(10, 40), *range(50, 55)]
    assert (progress.windows, progress.broken, progress.late) == (35, 1, 0)
    assert progress.offsets == progress.offsets_total > 0


async def test_windows_of_a_newer_service_are_refused(topics):
    await topics.create()
    await put(topics.settings, windows(0, 2, format=99), commit=True)
    with pytest.raises(NewerWindowError, match="newer"):
        await read_windows(topics.settings, TimeRange(), lambda _: None)


async def test_a_topic_that_is_not_there_is_told(topics):
    with pytest.raises(KafkaTroubleError) as found:
        await read_windows(topics.settings, TimeRange(), lambda _: None)
    assert found.value.kind is TroubleKind.TOPIC_MISSING
