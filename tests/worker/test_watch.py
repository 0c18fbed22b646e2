"""What the worker concludes from where the partitions end in Kafka."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, LeaderNotAvailableError
from tests.worker.ledgers import Log
from tests.worker.test_observer import Shown
from tests.worker.test_partition import envelopes
from tests.worker.test_partitions import Worker

from hubblewatch.kafka.topics import topic_names
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind
from hubblewatch.settings import KafkaSettings
from hubblewatch.worker import watch as module
from hubblewatch.worker.errors import LedgerError
from hubblewatch.worker.observer import WorkerObserver
from hubblewatch.worker.watch import SHORT_LOOKS, LagWatch


class App:
    """A stream that has read all there is."""

    is_drained = True

    def fetched(self) -> dict[int, int]:
        return {}


class Told:
    """Keeps the lags that were told."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}

    def lags(self, lags: dict[int, int]) -> None:
        self.last = dict(lags)


class FakeClient:
    """Stands for the one that asks."""

    async def stop(self) -> None:
        """Nothing to stop."""


class Watching(LagWatch):
    """A watch that is told where the partitions end."""

    def __init__(self, worker: Worker, told: Told | WorkerObserver) -> None:
        settings: Any = KafkaSettings()
        observer: Any = told
        super().__init__(settings, topic_names(settings).flows, worker.partitions, observer)
        self.ends: dict[int, int | Exception] = {}
        client: Any = FakeClient()
        self._client = client

    async def meanwhile(self) -> None:
        """What goes on while Kafka is asked."""

    async def _end(self, partition: TopicPartition) -> int:
        await self.meanwhile()
        end = self.ends[partition.partition]
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
async def worker() -> Worker:
    started = Worker(Log(envelopes(heartbeats=True, seed=1, minutes=4)))
    await started.start()
    await started.read()
    return started


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    return App()


async def test_a_partition_that_got_shorter_ends_the_run(worker: Worker, app: Any) -> None:
    watching = Watching(worker, Told())
    counted = worker.partitions.next_offset(0)
    assert counted is not None
    watching.ends = {0: counted - 1}
    for _ in range(SHORT_LOOKS - 1):
        await watching.look(app)
    with pytest.raises(LedgerError, match=f"ends at offset {counted - 1}, before {counted}"):
        await watching.look(app)


async def test_a_leader_that_is_behind_for_a_moment_does_not(worker: Worker, app: Any) -> None:
    told = Told()
    watching = Watching(worker, told)
    counted = worker.partitions.next_offset(0)
    assert counted is not None
    for end in (counted - 1, counted - 1, counted, counted - 1, counted - 1, counted + 5):
        watching.ends = {0: end}
        await watching.look(app)
    assert told.last == {0: 5}


async def test_what_is_counted_while_kafka_is_asked_was_not_lost(worker: Worker, app: Any) -> None:
    told = Told()
    watching = Watching(worker, told)
    state = worker.partitions.states[0]

    async def count_on() -> None:
        assert state.next_offset is not None
        state.next_offset += 3

    watching.meanwhile = count_on  # type: ignore[method-assign]
    for _ in range(2 * SHORT_LOOKS):
        assert state.next_offset is not None
        watching.ends = {0: state.next_offset + 1}
        await watching.look(app)
    assert told.last == {0: 0}


@pytest.mark.parametrize("is_away", [True, False])
async def test_a_lag_that_nobody_knows_is_not_told(
    app: Any, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    async def ask(_: KafkaSettings) -> None:
        if is_away:
            raise KafkaTroubleError(TroubleKind.UNREACHABLE, "nothing listens", "start it")

    monkeypatch.setattr(module, "probe", ask)
    shown = Shown(Log(), Log())
    shown.observer.assigned(frozenset([0, 1]))
    await shown.start()
    watching = Watching(shown, shown.observer)

    def told() -> dict[str, float]:
        (family,) = [f for f in shown.registry.collect() if f.name.endswith("consumer_lag_records")]
        return {sample.labels["partition"]: sample.value for sample in family.samples}

    watching.ends = {0: 7, 1: 9}
    await watching.look(app)
    assert told() == {"0": 7, "1": 9}
    watching.ends = {0: 8, 1: LeaderNotAvailableError()}
    await watching.look(app)
    assert told() == {"0": 8}
    watching.ends = {0: KafkaConnectionError(), 1: KafkaConnectionError()}
    await watching.look(app)
    assert told() == {}
    shown.wait(60)
    assert shown.is_green is is_away  # what waited waits still, where Kafka is there
