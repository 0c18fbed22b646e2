"""Workers while Kafka is away, and workers that were away themselves."""

from __future__ import annotations

import asyncio
import signal

import pytest
from deploy.local.kafka import KafkaNode
from tests.broker.detecting import (
    Topics,
    WorkerProcess,
    difference,
    until,
    until_counted,
)

pytestmark = pytest.mark.timeout(180)

MAX_LOG_LINES = 400


async def test_a_worker_may_start_before_kafka_and_outlives_its_restart(
    kafka_engine,
    tmp_path,
    streams,
    replayed,
):
    node = KafkaNode(tmp_path / "kafka", engine=kafka_engine)
    topics = Topics(node.bootstrap, "outage.")
    worker = WorkerProcess(tmp_path, topics)
    worker.start()
    try:
        await until(lambda: "waiting for Kafka" in worker.log)
        assert worker.get("/healthz")[0] == 200
        assert worker.get("/readyz")[0] == 503
        await asyncio.to_thread(node.start)
        await topics.create()
        await until(lambda: worker.get("/readyz")[0] == 200)
        third = [stream[: len(stream) // 3] for stream in streams]
        await topics.publish(third)
        await until(lambda: worker.metric("hubblewatch_transaction_seconds_count") > 5)

        await asyncio.to_thread(node.restart, crash=True)
        rest = [stream[len(begun) :] for stream, begun in zip(streams, third, strict=True)]
        await topics.publish(rest)
        await until_counted([worker], topics, 90)
        assert difference(await topics.windows(), replayed[0]) == ""
        assert difference(await topics.alert_ids(), replayed[1]) == ""
        assert worker.get("/healthz")[0] == 200

        await asyncio.to_thread(node.kill)
        await until(lambda: worker.get("/readyz")[0] == 503, 60)
        assert await asyncio.to_thread(worker.stop) < 10
        assert worker.log.count("\n") < MAX_LOG_LINES
    finally:
        worker.kill()
        node.kill()
        print(worker.log[-8000:])


async def test_a_frozen_worker_comes_back_as_a_zombie_and_says_nothing_twice(
    kafka,
    topic_prefix,
    tmp_path,
    streams,
    replayed,
):
    topics = Topics(kafka.bootstrap, topic_prefix)
    await topics.create()
    workers = [WorkerProcess(tmp_path, topics, f"worker-{number}") for number in range(2)]
    try:
        for worker in workers:
            worker.start()
        await until(lambda: all(worker.get("/readyz")[0] == 200 for worker in workers))
        publishing = asyncio.create_task(topics.publish(streams, pause_seconds=0.03))
        await until(lambda: workers[0].metric("hubblewatch_transaction_seconds_count") > 4)
        workers[0].send(signal.SIGSTOP)
        await until(lambda: workers[1].metric("hubblewatch_assigned_partitions") == 12, 60)
        await publishing
        workers[0].send(signal.SIGCONT)
        await until_counted(workers, topics, 90)
        assert difference(await topics.windows(), replayed[0]) == ""
        assert difference(await topics.alert_ids(), replayed[1]) == ""
    finally:
        for worker in workers:
            worker.kill()
            print(worker.name, worker.log[-6000:])
