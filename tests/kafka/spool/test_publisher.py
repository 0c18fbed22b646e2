"""Records go through the spool while Kafka does not take them, in order, and no caller waits."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.builders import flow

from hubblewatch.flow.decode import decode_lines
from hubblewatch.kafka.publisher import Pending, Publisher, PublisherCounts
from hubblewatch.kafka.spool.publisher import SpoolingPublisher
from hubblewatch.kafka.spool.spool import DropReason, Spool

TOPICS = ("flows", "rejects")
PARTITIONS = 3


class Memory(Publisher):
    """A publisher with room for ``room`` records, whose Kafka takes as many as it is told to."""

    def __init__(self, room: int = 5) -> None:
        self.counts = PublisherCounts()
        self.kafka: list[Pending] = []
        self._queue: list[Pending] = []
        self._most = room
        self._taken = asyncio.Event()

    def start(self) -> None:
        """Nothing to do."""

    @property
    def handed_in(self) -> int:
        return len(self.kafka) + len(self._queue)

    @property
    def has_room(self) -> bool:
        return len(self._queue) < self._most

    @property
    def delivered(self) -> int:
        return len(self.kafka)

    async def wait_for_room(self) -> None:
        while not self.has_room:
            self._taken.clear()
            await self._taken.wait()

    async def publish(
        self,
        topic: str,
        partition: int,
        value: bytes,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        await self.wait_for_room()
        self._queue.append(Pending(topic, partition, value, headers, 0.0, timestamp_ms))

    def take(self, count: int | None = None) -> None:
        """Kafka acknowledges."""
        taken = self._queue[:count]
        self.kafka += taken
        del self._queue[: len(taken)]
        self._taken.set()

    def waiting(self) -> list[Pending]:
        return list(self._queue)

    async def flush(self) -> None:
        self.take()

    async def stop(self, seconds: float = 0.0, *, tells: bool = True) -> None:
        """Nothing to do."""


def spooling(memory: Memory, directory: Path, max_bytes: int = 1 << 20) -> SpoolingPublisher:
    spool = Spool(directory, max_bytes, "flows")
    publisher = SpoolingPublisher(memory, spool, TOPICS, PARTITIONS, lambda: 1_000.0)
    publisher.start()
    return publisher


async def publish(
    publisher: SpoolingPublisher, first: int, count: int, pause: float | None = None
) -> None:
    for number in range(first, first + count):
        async with asyncio.timeout(5):
            await publisher.publish("flows", number % PARTITIONS, b"%d" % number, (("h", b"1"),))
        if pause is not None:
            await asyncio.sleep(pause)


def values(memory: Memory) -> list[int]:
    return [int(record.value) for record in memory.kafka]


async def drained(publisher: SpoolingPublisher) -> None:
    async with asyncio.timeout(30):
        await publisher.flush()


async def test_a_kafka_that_takes_all_leaves_the_disk_alone(tmp_path: Path) -> None:
    memory = Memory()
    publisher = spooling(memory, tmp_path)
    for number in range(20):
        await publish(publisher, number, 1)
        memory.take()
    assert values(memory) == list(range(20))
    assert publisher.spool.counts.spooled == 0
    assert publisher.delivered == 20
    await publisher.stop()


async def test_nobody_waits_while_kafka_is_away_and_all_is_there_in_order_after(
    tmp_path: Path,
) -> None:
    memory = Memory()
    publisher = spooling(memory, tmp_path)
    await publish(publisher, 0, 100)
    assert publisher.spool.counts.spooled == 95
    assert publisher.delivered == 0
    memory.take(3)
    await asyncio.sleep(0)
    await publish(publisher, 100, 50)
    await drained(publisher)
    assert values(memory) == list(range(150))
    assert {record.timestamp_ms for record in memory.kafka} == {1_000_000}
    assert publisher.delivered == 150
    assert publisher.spool.counts.replayed == publisher.spool.counts.spooled
    assert publisher.spool.counts.envelopes == 0
    await publisher.stop()


async def test_a_stop_leaves_all_for_the_next_start_memory_first(tmp_path: Path) -> None:
    memory = Memory()
    publisher = spooling(memory, tmp_path)
    await publish(publisher, 0, 12)
    memory.take(2)
    await asyncio.sleep(0)
    await publisher.stop()
    assert publisher.counts.unpublished == 0
    later = Memory()
    again = spooling(later, tmp_path)
    await publish(again, 12, 3)
    await drained(again)
    assert values(later) == list(range(2, 15))
    assert again.delivered == 3
    await again.stop()


async def test_a_stop_while_kafka_comes_and_goes_keeps_the_order(tmp_path: Path) -> None:
    memory = Memory()
    publisher = spooling(memory, tmp_path)
    await publish(publisher, 0, 8)
    memory.take()
    await asyncio.sleep(0.01)
    # 5 to 7 are read from the spool and under way; 8 and 9 follow them in memory, others on disk.
    await publish(publisher, 8, 5)
    await publisher.stop()
    later = Memory(room=100)
    again = spooling(later, tmp_path)
    await publish(again, 13, 1)
    await drained(again)
    assert values(memory) == list(range(5))
    assert values(later) == list(range(5, 14))
    assert again.spool.counts.bytes == 0
    await again.stop()


@pytest.mark.parametrize("seed", range(12))
async def test_any_coming_and_going_of_kafka_and_the_exporter_keeps_the_order(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    arrived: list[int] = []
    number = 0
    for _ in range(6):
        memory = Memory(room=chance.randint(1, 8))
        publisher = spooling(memory, tmp_path)
        for _ in range(chance.randint(0, 12)):
            count = chance.randint(0, 6)
            await publish(publisher, number, count)
            number += count
            memory.take(chance.randint(0, 4))
            await asyncio.sleep(0.002)
        await publisher.stop()
        arrived += values(memory)
    memory = Memory()
    publisher = spooling(memory, tmp_path)
    await drained(publisher)
    await publisher.stop()
    # The files' last records may come twice, what was acknowledged of a file being known in memory.
    assert list(dict.fromkeys(arrived + values(memory))) == list(range(number))


async def test_a_crash_leaves_what_was_spooled(tmp_path: Path) -> None:
    memory = Memory()
    publisher = spooling(memory, tmp_path)
    await publish(publisher, 0, 12)
    publisher.spool.close()
    later = Memory()
    again = spooling(later, tmp_path)
    await drained(again)
    assert values(later) == list(range(5, 12))
    await again.stop()
    await_end = publisher._replaying
    assert await_end is not None
    await_end.cancel()


async def test_what_is_dropped_is_told_to_all_partitions_before_what_came_later(
    tmp_path: Path,
) -> None:
    memory = Memory(room=1)
    publisher = spooling(memory, tmp_path, max_bytes=4_000)
    count = 200
    for number in range(count):
        await publisher.publish(
            "flows", number % PARTITIONS, flow(uuid=f"f{number}", at=float(number)), ()
        )
    dropped = publisher.spool.counts.dropped_flows[DropReason.FULL]
    assert dropped > 0
    await drained(publisher)
    got: set[str] = set()
    for partition in range(PARTITIONS):
        stream = [r.value for r in memory.kafka if r.partition == partition]
        lines = decode_lines([x for value in stream for x in value.split(b"\n")], print)
        flows = [line.flow.uuid for line in lines if line.flow is not None]
        losses = [line.lost_events for line in lines if line.lost_events is not None]
        assert sum(int(loss.num_events_lost) for loss in losses) == dropped
        places = [index for index, line in enumerate(lines) if line.lost_events is not None]
        assert places[-1] <= 1 + len(losses)
        assert flows == sorted(flows, key=lambda uuid: int(uuid[1:]))
        got |= set(flows)
    assert len(got) == count - dropped
    assert publisher.delivered == count
    await publisher.stop()


async def test_what_was_dropped_is_told_though_more_is_dropped_meanwhile(tmp_path: Path) -> None:
    def record(second: int) -> bytes:
        return flow(at=float(second), uuid=random.Random(second).randbytes(1_500).hex())

    memory = Memory(room=1)
    publisher = spooling(memory, tmp_path, max_bytes=64 << 10)
    for number in range(60):
        await publisher.publish("flows", 0, record(number * 20))
    first = publisher.spool.counts.dropped_flows[DropReason.FULL]
    # Kafka takes one record, so the losses are on their way, and is gone again.
    memory.take(1)
    await asyncio.sleep(0.01)
    for number in range(60, 90):
        await publisher.publish("flows", 0, record(number * 20))
    dropped = publisher.spool.counts.dropped_flows[DropReason.FULL]
    assert 0 < first < dropped
    await publisher.stop()
    later = Memory(room=1_000)
    again = spooling(later, tmp_path, max_bytes=64 << 10)
    await drained(again)
    lines = decode_lines(
        [line for record in later.kafka if record.partition == 0 for line in record.value.split()],
        pytest.fail,
    )
    losses = [line.lost_events for line in lines if line.lost_events is not None]
    assert sum(int(loss.num_events_lost) for loss in losses) == dropped
    assert not (tmp_path / "losses.json").exists()
    await again.stop()


async def test_what_was_read_back_is_kept_though_the_bound_took_its_file(tmp_path: Path) -> None:
    def record(number: int) -> bytes:
        return flow(at=float(number), uuid=f"{number:06d}")

    bound = 12 * 4_096
    memory = Memory(room=100)
    publisher = spooling(memory, tmp_path, max_bytes=bound)
    for number in range(300):
        await publisher.publish("flows", 0, record(number))
    memory.take(100)
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0)
            if not memory.has_room:
                break
    for number in range(300, 700):
        await publisher.publish("flows", 0, record(number))
    await publisher.stop()
    later = Memory(room=10_000)
    again = spooling(later, tmp_path, max_bytes=bound)
    await drained(again)
    await again.stop()
    lines = decode_lines(
        [
            line
            for record in memory.kafka + later.kafka
            if record.partition == 0
            for line in record.value.splitlines()
        ],
        pytest.fail,
    )
    arrived = {line.flow.uuid for line in lines if line.flow is not None}
    losses = [line.lost_events for line in lines if line.lost_events is not None]
    told = sum(int(loss.num_events_lost) for loss in losses)
    assert told > 0
    assert len(arrived) + told == 700


async def test_records_for_a_topic_of_other_settings_are_passed_by(tmp_path: Path) -> None:
    memory = Memory(room=1)
    publisher = spooling(memory, tmp_path)
    for topic in ("flows", "flows", "elsewhere", "flows"):
        await publisher.publish(topic, 0, b"1")
    await drained(publisher)
    assert [record.topic for record in memory.kafka] == ["flows"] * 3
    assert publisher.spool.counts.dropped == {DropReason.FOREIGN: 1}
    await publisher.stop()


async def test_a_disk_that_fails_makes_the_caller_wait_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(room=2)
    publisher = spooling(memory, tmp_path)

    def fail(record: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publisher.spool, "append", fail)
    publishing = asyncio.create_task(publish(publisher, 0, 3))
    await asyncio.sleep(0.05)
    assert not publishing.done()
    memory.take()
    await publishing
    await drained(publisher)
    assert values(memory) == [0, 1, 2]
    await publisher.stop()


async def test_what_ends_the_publisher_is_told_to_who_publishes(tmp_path: Path) -> None:
    class Broken(Memory):
        async def wait_for_room(self) -> None:
            raise ValueError("no certificate")

    publisher = spooling(Broken(room=0), tmp_path)
    await publisher.publish("flows", 0, b"1")
    with pytest.raises(ValueError, match="no certificate"):
        await publish(publisher, 0, 100, pause=0)
    await publisher.stop()
