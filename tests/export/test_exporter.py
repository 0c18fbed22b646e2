"""The exporter's loop, with a publisher in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from tests.builders import START, flow, rfc3339
from tests.connections import tcp

from hubblewatch.errors import ConfigurationError
from hubblewatch.export.exporter import Exporter
from hubblewatch.export.pace import PacedSource, parse_speed
from hubblewatch.export.rejects import A_SECOND, BURST, Rejects
from hubblewatch.export.source import RecordingSource, Source
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.redact import Redaction
from hubblewatch.flow.reject import Reject, RejectReason
from hubblewatch.flow.schema import Line
from hubblewatch.kafka.envelope import HEADERS, Envelopes
from hubblewatch.kafka.pulse import PulseSettings
from hubblewatch.kafka.router import Router
from hubblewatch.kafka.topics import TopicNames
from hubblewatch.settings import RedactionSettings
from hubblewatch.source.recordings import open_recordings

TOPICS = TopicNames("flows", "windows", "alerts", "state", "rejects")
PARTITIONS = 4


class Memory:
    """Keeps what is published; refuses to take more while ``is_full``."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, bytes, tuple[tuple[str, bytes], ...]]] = []
        self.room = asyncio.Event()
        self.room.set()

    async def publish(
        self, topic: str, partition: int, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        await self.room.wait()
        self.records.append((topic, partition, value, headers))

    async def flush(self) -> None:
        await self.room.wait()

    @property
    def delivered(self) -> int:
        return len(self.records)

    def lines(self) -> list[Line]:
        """All lines of the flow topic, partition by partition."""
        ordered = sorted((r for r in self.records if r[0] == "flows"), key=lambda r: r[1])
        return decode_lines([x for r in ordered for x in r[2].split(b"\n")], print)

    def flows(self) -> list[str]:
        return [line.flow.uuid for line in self.lines() if line.flow is not None]


class Listed:
    """A source that gives batches, each after a pause."""

    def __init__(
        self, batches: Sequence[list[bytes]], pause: float = 0.0, is_live: bool = False
    ) -> None:
        self._batches = batches
        self._pause = pause
        self.is_live = is_live
        self.complete_through_ns = (START + 3_600) * 1_000_000_000 if is_live else 0

    async def batches(self) -> AsyncIterator[list[Line]]:
        for batch in self._batches:
            yield decode_lines(batch, print)
            await asyncio.sleep(self._pause)


def exporter(
    memory: Memory,
    rejects: Rejects | None = None,
    wall_clock: Callable[[], float] = time.time,
    steady: Callable[[], float] | None = None,
) -> Exporter:
    refused = rejects or Rejects(time.monotonic)
    router = Router(PARTITIONS, PulseSettings("test"), refused.take)
    envelopes = Envelopes(PARTITIONS, time.monotonic, refused.take, max_age_seconds=0.05)
    redaction = Redaction(RedactionSettings().labels)
    clocks = wall_clock, steady or time.monotonic
    return Exporter(router, envelopes, memory, refused, TOPICS, redaction, *clocks)


async def test_all_lines_are_published_and_the_last_window_closes() -> None:
    memory = Memory()
    lines = tcp()
    one = exporter(memory)
    assert await one.run(Listed([lines[:3], lines[3:]]), asyncio.Event())
    assert len(memory.flows()) == len(lines) == one.lines
    assert sum(line.census is not None for line in memory.lines()) == PARTITIONS
    assert {record[3] for record in memory.records} == {HEADERS}


async def test_without_the_final_heartbeat_the_last_window_stays_open() -> None:
    memory = Memory()
    await exporter(memory).run(Listed([tcp()]), asyncio.Event(), closes_last=False)
    assert memory.flows()
    beats = [line.heartbeat for line in memory.lines() if line.heartbeat is not None]
    assert max(beat.watermark for beat in beats) < rfc3339(0)


async def test_a_slow_source_does_not_hold_back_what_has_waited() -> None:
    memory = Memory()
    running = asyncio.create_task(exporter(memory).run(Listed([tcp()], 30), asyncio.Event()))
    await asyncio.sleep(0.3)
    assert len(memory.flows()) == len(tcp())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_full_publisher_holds_the_source() -> None:
    memory = Memory()
    memory.room.clear()
    one = exporter(memory)
    batches = [[flow(at=number) for _ in range(600)] for number in range(20)]
    running = asyncio.create_task(one.run(Listed(batches), asyncio.Event()))
    await asyncio.sleep(0.2)
    assert one.lines <= 1_200
    memory.room.set()
    assert await running
    assert len(memory.flows()) == 12_000


async def test_what_was_read_before_a_stop_still_arrives() -> None:
    memory = Memory()
    memory.room.clear()
    stop = asyncio.Event()
    one = exporter(memory)
    lines = [flow(at=number / 1_000) for number in range(1_500)]
    running = asyncio.create_task(one.run(Listed([lines], 30), stop))
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.sleep(0.1)
    memory.room.set()
    assert await running is False
    places = {line.flow.uuid: n for n, line in enumerate(decode_lines(lines, print)) if line.flow}
    assert [places[uuid] for uuid in memory.flows()] == list(range(1_500))


async def test_a_live_source_beats_by_the_clock_and_never_closes_what_may_come() -> None:
    memory = Memory()
    now = START + 2.0
    one = exporter(memory, wall_clock=lambda: now)
    stop = asyncio.Event()
    batch = [flow(at=1), flow(at=1.5)]
    running = asyncio.create_task(one.run(Listed([batch], 30, is_live=True), stop))
    for second in range(3):
        now = START + 2.0 + second
        await asyncio.sleep(0.12)
    stop.set()
    assert await running is False
    beats = [line.heartbeat for line in memory.lines() if line.heartbeat is not None]
    assert sorted({beat.sequence for beat in beats}) == [1, 2, 3, 4]
    assert beats[-1].watermark == "2026-03-02T07:59:54Z"


async def test_a_clock_that_jumps_ahead_for_a_moment_makes_no_flow_late() -> None:
    memory = Memory()
    now = [START + 2.0, 100.0]
    one = exporter(memory, wall_clock=lambda: now[0], steady=lambda: now[1])
    source = Listed([[flow(at=float(second))] for second in range(1, 12)], 0.06, is_live=True)
    source.complete_through_ns = (START + 36_000) * 1_000_000_000
    stop = asyncio.Event()
    running = asyncio.create_task(one.run(source, stop))
    for second in range(11):
        now[:] = START + 2.0 + second + (21_600.0 if second in (2, 3) else 0), 100.0 + second
        await asyncio.sleep(0.06)
    stop.set()
    await running
    assert one.router.counts.late == 0
    beats = [line.heartbeat.watermark for line in memory.lines() if line.heartbeat is not None]
    assert "2026-03-02T08:00" <= max(beats) < "2026-03-02T08:01"


async def test_a_live_source_is_believed_no_further_than_it_came() -> None:
    memory = Memory()
    one = exporter(memory, wall_clock=lambda: START + 900.0)
    source = Listed([[flow(at=1), flow(at=1.5)]], 30, is_live=True)
    source.complete_through_ns = (START + 3) * 1_000_000_000
    stop = asyncio.Event()
    running = asyncio.create_task(one.run(source, stop))
    await asyncio.sleep(0.2)
    stop.set()
    assert await running is False
    beats = [line.heartbeat.watermark for line in memory.lines() if line.heartbeat is not None]
    assert max(beats) == "2026-03-02T07:59:53Z"


async def test_a_live_source_that_was_never_connected_makes_no_heartbeats() -> None:
    memory = Memory()
    source = Listed([[]], 30, is_live=True)
    source.complete_through_ns = 0
    stop = asyncio.Event()
    running = asyncio.create_task(exporter(memory).run(source, stop))
    await asyncio.sleep(0.2)
    stop.set()
    await running
    assert not memory.lines()


async def test_rejects_go_to_their_topic_with_a_reason_and_without_what_they_say() -> None:
    memory = Memory()
    rejects = Rejects(time.monotonic)
    rejects.take(Reject(RejectReason.MALFORMED, "a.jsonl:7", "truncated", b'{"flow":"Basic dTpw'))
    await exporter(memory, rejects).run(Listed([tcp()]), asyncio.Event())
    (record,) = [record for record in memory.records if record[0] == "rejects"]
    assert record[2] == b'{"flow":"x x'
    assert dict(record[3]) == {
        "reason": b"malformed",
        "place": b"a.jsonl:7",
        "detail": b"truncated",
    }


async def test_an_error_of_the_source_comes_out() -> None:
    class Broken:
        is_live = False
        complete_through_ns = 0

        async def batches(self) -> AsyncIterator[list[Line]]:
            yield []
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await exporter(Memory()).run(Broken(), asyncio.Event())


def test_a_flood_of_rejects_is_counted_and_not_kept() -> None:
    now = 0.0
    rejects = Rejects(lambda: now)
    for _ in range(BURST + 5):
        rejects.take(Reject(RejectReason.UNKNOWN, "x:1", "", b""))
    assert (rejects.total, rejects.unpublished, len(rejects.drain())) == (BURST + 5, 5, BURST)
    now = 1.0
    for _ in range(2 * A_SECOND):
        rejects.take(Reject(RejectReason.UNKNOWN, "x:1", "", b""))
    assert len(rejects.drain()) == A_SECOND


@pytest.mark.parametrize("name", ["recording.jsonl", "fifo"])
async def test_a_recording_is_read_whole_from_file_and_pipe(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_bytes(b"\n".join(tcp()))
    if name == "fifo":
        with path.open("rb", buffering=0) as opened:
            found = [
                line
                async for batch in RecordingSource(open_recordings(["-"], opened), print).batches()
                for line in batch
            ]
    else:
        source: Source = RecordingSource(open_recordings([str(path)]), print)
        found = [line async for batch in source.batches() for line in batch]
    assert [line.flow is not None for line in found] == [True] * len(tcp())


class Time:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def paced(speed: float, *at: float) -> list[tuple[float, int]]:
    """When how many lines came, seconds after the begin."""
    clock = Time()
    source = PacedSource(Listed([[flow(at=one) for one in at]]), speed, clock, clock.sleep)
    return [(clock.now - 50.0, len(batch)) async for batch in source.batches()]


async def test_recorded_speed_follows_event_time() -> None:
    assert await paced(1, 5.0, 5.5, 6.0, 5.2, 9.9) == [(0, 2), (1, 2), (4, 1)]


async def test_a_multiple_of_the_recorded_speed() -> None:
    assert await paced(4, 0, 2, 4) == [(0, 1), (0.5, 1), (1, 1)]


async def test_a_long_pause_of_a_recording_is_cut_short() -> None:
    assert await paced(1, 0, 1_000_000) == [(0, 1), (3_600, 1)]


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("recorded", 1.0), ("2.5", 2.5)])
def test_speeds(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast", "", "1e9"])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--speed"):
        parse_speed(text)
