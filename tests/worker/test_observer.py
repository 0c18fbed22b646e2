"""What health says of partitions: progress is what is committed."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.serve.building import HandClock
from tests.worker.ledgers import Log
from tests.worker.test_partition import envelopes
from tests.worker.test_partitions import BREAKS, Worker, breaking

from hubblewatch.metrics import Metrics
from hubblewatch.serve import AlertBoard, Health
from hubblewatch.worker.errors import DefectError, LedgerError
from hubblewatch.worker.metrics import WorkerFamilies
from hubblewatch.worker.observer import REMEMBERED_SECONDS, WorkerObserver


class Shown(Worker):
    """A worker whose health is shown, on a clock moved by hand."""

    def __init__(self, *logs: Log, **building: Any) -> None:
        super().__init__(*logs, **building)
        self.hand = HandClock()
        self.health = Health(self.hand)
        self.registry = CollectorRegistry()
        self.observer = WorkerObserver(
            Metrics(self.registry, version="1"),
            WorkerFamilies(self.registry),
            self.health,
            AlertBoard(),
            lambda *_: None,
            self.hand,
        )
        self.partitions._observer = self.observer

    async def run(self, first: int = 0) -> str:
        """One run up to its failure or the end of the logs, one of which is read first."""
        numbers = range(len(self.logs))
        self.observer.assigned(frozenset(numbers))
        try:
            await self.start()
            self.observer.lags({number: len(self.logs[number].flows) for number in numbers})
            for number in sorted(numbers, key=lambda number: number != first):
                await self.read(number)
        except (LedgerError, DefectError) as error:
            await self.partitions.give_up()
            self.observer.ended(error.reason)
            return str(error)
        return ""

    def wait(self, seconds: float) -> None:
        """The event loop ticks meanwhile."""
        for _ in range(round(seconds)):
            self.hand.advance(1)
            self.observer.tick()

    @property
    def partition(self) -> dict[str, Any] | None:
        """What health says of partition 0."""
        found: Any = self.health.report()["components"].get("partition-0")
        return found

    @property
    def is_green(self) -> bool:
        """Whether ``/healthz`` is."""
        return self.health.report()["healthy"]


def refusing(worker: Shown, fails: str = "fails") -> None:
    worker.prepare = lambda ledger: setattr(ledger, fails, True) or ledger  # type: ignore[assignment,func-returns-value]


@pytest.fixture
def shown() -> Shown:
    return Shown(Log(envelopes(heartbeats=True, seed=1, minutes=4)))


@pytest.mark.parametrize("fails", ["fails", "fails_open"])
async def test_a_partition_that_cannot_be_committed_turns_red_though_it_is_read(
    shown: Shown, fails: str
) -> None:
    refusing(shown, fails)
    begun = shown.hand.now
    while shown.is_green:
        assert await shown.run() == "no answer"
        shown.wait(10)
        assert shown.hand.now - begun <= 60
    assert shown.partition is not None
    assert shown.partition["reason"] == "no answer"

    shown.prepare = id
    assert await shown.run() == ""
    assert shown.is_green
    assert "reason" not in shown.partition


async def test_time_that_was_lost_on_a_second_failure_counts(shown: Shown) -> None:
    """As with a coordinator that lets each commit wait until it is given up."""
    refusing(shown)
    shown.wait(30)
    await shown.run()
    shown.wait(35)
    assert shown.is_green
    await shown.start(0)
    await shown.read(0, to=1)
    shown.wait(30)
    assert shown.is_green
    assert await shown.run() == "no answer"
    assert not shown.is_green


async def test_a_partition_that_was_idle_for_long_gets_its_full_time(shown: Shown) -> None:
    shown.observer.assigned(frozenset([0]))
    shown.observer.lags({0: 0})
    shown.wait(3_600)
    for _ in range(2):
        shown.observer.failed(0, LedgerError("no answer"))
        shown.observer.ended("kafka")
        shown.wait(20)
    assert shown.is_green
    shown.wait(5)
    assert not shown.is_green


async def test_partitions_that_fail_in_turn_turn_red_as_soon() -> None:
    flows = envelopes(heartbeats=True, seed=1, minutes=4)
    shown = Shown(*(Log(flows) for _ in range(7)))
    refusing(shown)
    for first in range(6):
        await shown.run(first)
        shown.wait(10)
    assert not shown.is_green


async def test_what_is_read_again_after_one_failure_takes_the_time_it_takes(shown: Shown) -> None:
    refusing(shown)
    assert await shown.run() == "no answer"
    shown.prepare = id
    await shown.start(0)
    shown.observer.lags({0: 1_000})
    for offset, value in list(shown.logs[0].read())[:40]:
        shown.wait(30)
        await shown.partitions.take(0, value, offset)
        assert shown.is_green
    assert shown.logs[0].commits == 0


async def test_a_quiet_partition_waits_for_its_next_commit_in_peace(shown: Shown) -> None:
    refusing(shown)
    await shown.run()
    await shown.start(0)
    shown.observer.lags({0: 0})
    shown.wait(300)
    assert shown.is_green


async def test_a_partition_that_went_elsewhere_is_no_longer_waited_for(shown: Shown) -> None:
    refusing(shown)
    await shown.run()
    shown.observer.assigned(frozenset([7]))
    shown.wait(60)
    assert shown.is_green


async def test_a_partition_that_workers_hand_round_turns_red_all_the_same(shown: Shown) -> None:
    refusing(shown)
    for _ in range(6):
        await shown.run()
        shown.observer.assigned(frozenset())
        shown.wait(10)
    assert not shown.is_green
    shown.wait(REMEMBERED_SECONDS)  # another worker keeps it
    assert shown.is_green


async def test_while_kafka_is_away_nothing_is_red(shown: Shown) -> None:
    refusing(shown)
    for _ in range(6):
        await shown.run()
        shown.wait(10)
    shown.observer.kafka_away()
    shown.wait(600)
    assert shown.is_green
    assert await shown.run() == "no answer"
    assert shown.is_green


async def test_a_record_that_is_passed_by_in_the_end_is_no_failing_commit() -> None:
    flows = envelopes(heartbeats=True, seed=1, minutes=4)
    shown = Shown(Log([flows[0], BREAKS, *flows[1:]]), build=breaking)
    while await shown.run():
        shown.wait(30)
        assert shown.is_green
    assert shown.logs[0].commits
