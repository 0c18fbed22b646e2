"""Partitions over ledgers without Kafka: rebalances, failures, zombies, and quiet ones."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from tests.builders import flow
from tests.worker.ledgers import FakeLedger, Heard, Log
from tests.worker.test_partition import envelopes, run

from hubblewatch.assemble import build_pipeline
from hubblewatch.flow.reject import RejectReason
from hubblewatch.pipeline import Pipeline
from hubblewatch.settings import Settings
from hubblewatch.worker.errors import DefectError, FencedError, JumpError, LedgerError
from hubblewatch.worker.partition import OnReject
from hubblewatch.worker.partitions import DEFECT_ATTEMPTS, Partitions


def read(_: int) -> bool:
    return True


def unread(_: int) -> bool:
    return False


class Worker:
    """Partitions, and the ledgers that they opened in order."""

    def __init__(self, *logs: Log, build=None, rejects=None) -> None:
        self.logs = logs
        self.ledgers: list[FakeLedger] = []
        self.heard = Heard()
        self.prepare = id
        self.clock = 1_000.0
        self.partitions = Partitions(
            build or self._build,
            self._open_ledger,
            self.heard,
            (lambda reject: pytest.fail(str(reject))) if rejects is None else rejects.append,
            lambda: self.clock,
        )

    async def start(self, *numbers: int) -> None:
        await self.partitions.assign(numbers or range(len(self.logs)))
        await self.partitions.restore()

    async def read(self, number: int = 0, to: int | None = None) -> None:
        for offset, value in list(self.logs[number].read())[:to]:
            await self.partitions.take(number, value, offset)

    def _build(self, number: int, on_reject: OnReject) -> Pipeline:
        return build_pipeline(Settings(), on_reject)

    def _open_ledger(self, number: int) -> FakeLedger:
        ledger = FakeLedger(self.logs[number])
        self.prepare(ledger)
        self.ledgers.append(ledger)
        return ledger


@pytest.fixture(scope="module")
def recording() -> list[bytes]:
    return envelopes(heartbeats=True, seed=1, minutes=7)


@pytest.fixture(scope="module")
def undisturbed(recording):
    return run(recording, set())


def assert_as_undisturbed(log: Log, undisturbed) -> None:
    assert log.windows == undisturbed.windows
    assert log.alerts == undisturbed.alerts


async def test_a_partition_read_to_its_end_commits_what_an_undisturbed_one_does(
    recording, undisturbed
):
    worker = Worker(Log(recording))
    await worker.start()
    await worker.read()
    assert_as_undisturbed(worker.logs[0], undisturbed)


async def test_a_record_before_the_restore_waits_for_it(recording):
    worker = Worker(Log(recording))
    await worker.partitions.assign([0])
    taking = asyncio.create_task(worker.partitions.take(0, recording[0], 0))
    await asyncio.sleep(0)
    assert not taking.done()
    await worker.partitions.restore()
    await taking
    assert worker.partitions.next_offset(0) == 1


async def test_a_record_of_a_partition_that_is_not_ours_opens_nothing(recording):
    worker = Worker(Log(recording), Log(recording))
    await worker.start(0)
    await worker.partitions.take(1, recording[0], 0)
    assert len(worker.ledgers) == 1


async def test_a_record_that_waited_through_a_rebalance_is_left_to_the_next_owner(recording):
    log = Log(recording)
    worker = Worker(log)
    held = asyncio.Event()
    worker.prepare = lambda ledger: setattr(ledger, "hold_open", held)
    await worker.partitions.assign([0])
    restoring = asyncio.create_task(worker.partitions.restore())
    taking = asyncio.create_task(worker.partitions.take(0, recording[0], 0))
    await asyncio.sleep(0.01)
    restoring.cancel()
    await worker.partitions.give_up()
    await asyncio.wait_for(taking, 1)
    assert len(worker.ledgers) == 1  # opening it once more would fence the next owner
    assert worker.ledgers[0].is_closed
    assert worker.partitions.next_offset(0) is None


async def test_a_restore_that_is_cancelled_leaves_no_ledger_open(recording):
    worker = Worker(Log(recording), Log(recording))
    worker.prepare = lambda ledger: setattr(ledger, "hold_open", asyncio.Event())
    await worker.partitions.assign([0, 1])
    restoring = asyncio.create_task(worker.partitions.restore())
    await asyncio.sleep(0.01)
    restoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await restoring
    assert [ledger.is_closed for ledger in worker.ledgers] == [True, True]


async def test_giving_up_waits_for_the_commit_that_runs(recording, undisturbed):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    worker.ledgers[0].hold_commit = held = asyncio.Event()
    reading = asyncio.create_task(worker.read())
    await worker.ledgers[0].committing.wait()
    giving_up = asyncio.create_task(worker.partitions.give_up())
    await asyncio.sleep(0.01)
    assert not worker.ledgers[0].is_closed
    held.set()
    await giving_up
    await reading
    assert log.commits == 1
    await worker.start()
    await worker.read()
    assert_as_undisturbed(log, undisturbed)


async def test_a_new_assignment_opens_only_after_the_former_one_has_ended(recording):
    worker = Worker(Log(recording))
    await worker.start()
    worker.ledgers[0].hold_commit = held = asyncio.Event()
    reading = asyncio.create_task(worker.read())
    await worker.ledgers[0].committing.wait()
    starting = asyncio.create_task(worker.start())
    await asyncio.sleep(0.01)
    assert len(worker.ledgers) == 1
    reading.cancel()
    held.set()
    await starting
    assert worker.heard.failures == []  # the former commit was not fenced by ourselves
    assert len(worker.ledgers) == 2


async def test_a_rebalance_at_any_record_changes_no_window_and_no_alert(recording, undisturbed):
    log = Log(recording)
    workers = [Worker(log), Worker(log)]
    dice = random.Random(1)
    for turn in range(16):
        worker = workers[turn % 2]
        await worker.start()
        await worker.read(to=dice.randint(1, 200))
        await worker.partitions.give_up()
    assert log.commits > 3
    await workers[0].start()
    await workers[0].read()
    assert_as_undisturbed(log, undisturbed)


async def test_a_commit_that_fails_is_made_again_by_the_next_run(recording, undisturbed):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    worker.ledgers[0].fails = True
    with pytest.raises(LedgerError):
        await worker.read()
    assert log.commits == 0
    assert worker.heard.committed_windows == []
    await worker.start()
    await worker.read()
    assert_as_undisturbed(log, undisturbed)


async def test_a_commit_whose_answer_is_lost_is_not_made_twice(recording, undisturbed):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    worker.ledgers[0].is_lost = True
    with pytest.raises(LedgerError):
        await worker.read()
    assert log.commits == 1
    await worker.start()
    await worker.read()
    assert_as_undisturbed(log, undisturbed)


async def test_a_zombie_commits_nothing(recording, undisturbed):
    log = Log(recording)
    zombie, successor = Worker(log), Worker(log)
    await zombie.start()
    await zombie.read(to=20)
    await successor.start()
    with pytest.raises(FencedError):
        await zombie.read()
    assert zombie.heard.failures == ["fenced"]
    await successor.read()
    assert_as_undisturbed(log, undisturbed)


async def test_a_zombie_that_opens_late_costs_its_successor_nothing_but_time(
    recording, undisturbed
):
    log = Log(recording)
    successor, zombie = Worker(log), Worker(log)
    await successor.start()
    await zombie.start()
    with pytest.raises(FencedError):
        await successor.read()
    await successor.start()
    await successor.read()
    assert_as_undisturbed(log, undisturbed)


async def test_no_opening_is_a_failure_of_the_run(recording):
    worker = Worker(Log(recording), Log(recording))
    worker.prepare = lambda ledger: setattr(ledger, "fails_open", True)
    with pytest.raises(LedgerError):
        await worker.start()
    assert not worker.partitions.are_restored
    assert all(ledger.is_closed for ledger in worker.ledgers)


async def test_a_leftover_of_the_former_assignment_is_not_taken_for_the_first_record(
    recording, undisturbed
):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    await worker.read(to=200)
    await worker.start()
    assert log.offset < 200
    with pytest.raises(JumpError):
        await worker.partitions.take(0, recording[200], 200)
    await worker.start()
    await worker.read()
    assert_as_undisturbed(log, undisturbed)


async def test_a_first_record_that_is_missing_in_two_runs_is_gone(recording):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    await worker.read(to=200)
    await worker.start()
    expected = worker.partitions.next_offset(0)
    with pytest.raises(JumpError):
        await worker.partitions.take(0, recording[expected + 2], expected + 2)
    await worker.start()
    await worker.partitions.take(0, recording[expected + 2], expected + 2)
    assert worker.partitions.states[0].gaps == 2
    assert worker.partitions.next_offset(0) == expected + 3


async def test_records_that_retention_took_are_counted_and_passed_by(recording):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    await worker.read(to=200)
    log.begin = log.offset + 7
    await worker.start()
    await worker.read()
    assert worker.partitions.states[0].gaps == 7


async def test_a_topic_that_was_made_anew_is_read_from_its_begin(recording):
    log = Log(recording)
    worker = Worker(log)
    await worker.start()
    await worker.read()
    log.flows = recording[:5]
    assert log.offset > 5
    log.offset = 0
    await worker.start()
    await worker.read()
    assert worker.partitions.next_offset(0) == 5


BREAKS = b'{"flow":{},"node_name":"breaks"}'


def breaking(number: int, on_reject: OnReject) -> Pipeline:
    """A pipeline that fails on what ``BREAKS`` holds."""
    pipeline = build_pipeline(Settings(), on_reject)
    take = pipeline.take

    def break_at(lines):
        if any(line.node_name == "breaks" for line in lines):
            raise ZeroDivisionError
        return take(lines)

    pipeline.take = break_at
    return pipeline


async def test_a_record_that_breaks_the_pipeline_is_passed_by_after_some_runs(recording):
    log = Log([recording[0], BREAKS, *recording[1:]])
    worker = Worker(log, build=breaking)
    for _ in range(DEFECT_ATTEMPTS):
        await worker.start()
        with pytest.raises(DefectError):
            await worker.read()
    await worker.start()
    await worker.read()
    assert worker.heard.skipped_offsets == [1]
    assert log.commits > 0


async def test_two_records_in_a_row_that_break_the_pipeline_are_both_passed_by(recording):
    log = Log([recording[0], BREAKS, BREAKS, *recording[1:]])
    worker = Worker(log, build=breaking)
    for _ in range(2 * DEFECT_ATTEMPTS):
        await worker.start()
        with pytest.raises(DefectError):
            await worker.read()
    await worker.start()
    await worker.read()
    assert worker.heard.skipped_offsets[-2:] == [1, 2]
    assert log.commits > 0


async def test_a_clock_that_is_wrong_closes_nothing_of_a_quiet_partition():
    """The line of the wrong clock is held when the partition falls quiet: nobody has judged it."""

    def attempt(second: int) -> bytes:
        return flow(at=float(second), flags="SYN", ports=(41_000 + second, 8_080))

    ten_years = 10 * 365 * 86_400
    before = [attempt(second) for second in range(100)]
    broken = b"\n".join([attempt(100), flow(at=100.0 + ten_years, flags="SYN")])
    after = [attempt(second) for second in range(120, 400)]
    counted = []
    for last in (attempt(100), broken):
        rejects = []
        worker = Worker(Log([*before, last]))
        worker.partitions._on_reject = rejects.append
        await worker.start()
        await worker.read()
        worker.clock += 16
        await worker.partitions.close_quiet(15, read)
        for offset, record in enumerate(after, 101):
            await worker.partitions.take(0, record, offset)
        worker.clock += 100
        await worker.partitions.close_quiet(15, read)
        counted.append(sum(json.loads(window)["attempts"] for window in worker.logs[0].windows))
        assert len(rejects) == (last is broken)
    assert counted == [381, 381]


async def test_a_quiet_partition_without_heartbeats_closes_by_the_clock():
    worker = Worker(Log([flow(at=2.0), flow(at=3.0)]))
    await worker.start()
    await worker.read()
    worker.clock += 14
    await worker.partitions.close_quiet(15, read)
    assert worker.logs[0].windows == []
    worker.clock += 57
    await worker.partitions.close_quiet(15, read)
    assert len(worker.logs[0].windows) == 1


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_quiet_partition_with_nothing_to_read_closes_on_after_a_restart(restarts: bool):
    worker = Worker(Log([flow(at=2.0), flow(at=3.0)]))
    await worker.start()
    await worker.read()
    for minute in range(15):
        if restarts and minute == 6:
            await worker.start()
            assert list(worker.logs[0].read()) == []
        worker.clock += 60
        await worker.partitions.close_quiet(15, read)
    assert len(worker.heard.committed_windows) > 10


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_wrong_clock_closes_nothing_though_it_is_the_first_after_a_restart(restarts: bool):
    rejects = []
    flows = [flow(at=at, ports=(30_000 + at, 8_080)) for at in range(60)]
    worker = Worker(Log(flows), rejects=rejects)
    await worker.start()
    await worker.read()
    for _ in range(6):
        worker.clock += 60
        await worker.partitions.close_quiet(15, read)
    if restarts:
        await worker.start()
    year = 400 * 86_400
    flows += [flow(at=year + at, ports=(20_000 + at, 8_080)) for at in range(2)]
    flows += [flow(at=500 + at, ports=(10_000 + at, 8_080)) for at in range(100)]
    await worker.read()
    assert [reject.reason for reject in rejects] == [RejectReason.AHEAD] * 2
    assert worker.partitions.states[0].pipeline.counts.late == 0


async def test_time_of_a_quiet_partition_goes_no_faster_than_the_clock():
    worker = Worker(Log([flow(at=2.0), flow(at=3.0)]))
    await worker.start()
    await worker.read()
    for _ in range(60):
        worker.clock += 1
        await worker.partitions.close_quiet(15, read)
    newest = worker.partitions.states[0].pipeline.watermark.newest
    first = Worker(Log([flow(at=2.0), flow(at=3.0)]))
    await first.start()
    await first.read()
    assert newest - first.partitions.states[0].pipeline.watermark.newest == 60


async def test_a_partition_that_is_not_read_to_its_end_is_not_quiet():
    worker = Worker(Log([flow(at=2.0), flow(at=3.0)]))
    await worker.start()
    await worker.read()
    worker.clock += 600
    await worker.partitions.close_quiet(15, unread)
    assert worker.logs[0].windows == []


async def test_a_partition_with_heartbeats_is_never_closed_by_the_clock(recording):
    worker = Worker(Log(recording))
    await worker.start()
    await worker.read(to=20)
    worker.clock += 600
    await worker.partitions.close_quiet(15, read)
    assert worker.logs[0].commits == 0


async def test_records_are_counted_after_a_quiet_closing_as_before(recording):
    log = Log([flow(at=2.0), flow(at=3.0), flow(at=200.0)])
    worker = Worker(log)
    await worker.start()
    await worker.read(to=2)
    worker.clock += 80
    await worker.partitions.close_quiet(15, read)
    await worker.start()
    await worker.read()
    worker.clock += 80
    await worker.partitions.close_quiet(15, read)
    assert len(log.windows) == 2
