"""Workers over a real Kafka say what one replay of the recording says."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from tests.broker.detecting import (
    Topics,
    WorkerProcess,
    difference,
    until,
    until_counted,
)
from tests.builders import flow, pod

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def topics(kafka, topic_prefix):
    topics = Topics(kafka.bootstrap, topic_prefix)
    await topics.create()
    return topics


@pytest.fixture
def make_worker(tmp_path, topics):
    """Makes workers of this test, and kills those that are left."""
    made = []

    def make(name="worker-0", **settings) -> WorkerProcess:
        worker = WorkerProcess(tmp_path / "workers", topics, name, **settings)
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.kill()
        print(f"--- {worker.name}\n{worker.log[-6000:]}")


@pytest.mark.parametrize("count", [1, 3])
async def test_workers_write_what_a_replay_of_the_recording_says(
    count, topics, make_worker, streams, replayed
):
    workers = [make_worker(f"worker-{number}") for number in range(count)]
    for worker in workers:
        worker.start()
    await until(lambda: all(worker.get("/readyz")[0] == 200 for worker in workers))
    await topics.publish(streams)
    await until_counted(workers, topics)
    assert difference(await topics.windows(), replayed[0]) == ""
    assert difference(await topics.alert_ids(), replayed[1]) == ""


async def test_a_worker_that_stops_in_order_goes_on_where_it_stopped(
    topics, make_worker, streams, replayed
):
    halves = [len(stream) * 2 // 3 for stream in streams]
    worker = make_worker(instance="worker-0")
    worker.start()
    await topics.publish([stream[:half] for stream, half in zip(streams, halves, strict=True)])
    await until_counted([worker], topics)
    active = worker.metric("hubblewatch_alerts_active")
    assert active == 1
    seconds = worker.stop()
    assert worker.wait() == 0
    assert seconds < 10

    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    assert worker.metric("hubblewatch_restored_records_total") > 20
    assert worker.metric("hubblewatch_alerts_active") == active
    shown = json.loads(worker.get("/api/alerts")[1])["alerts"]
    assert [alert["id"] for alert in shown] == await topics.alert_ids()
    await topics.publish([stream[half:] for stream, half in zip(streams, halves, strict=True)])
    await until_counted([worker], topics)
    assert difference(await topics.windows(), replayed[0]) == ""
    assert difference(await topics.alert_ids(), replayed[1]) == ""


async def test_a_killed_worker_leaves_its_work_to_the_other(topics, make_worker, streams, replayed):
    workers = [make_worker("worker-0"), make_worker("worker-1")]
    for worker in workers:
        worker.start()
    await until(lambda: all(worker.get("/readyz")[0] == 200 for worker in workers))
    publishing = asyncio.create_task(topics.publish(streams, pause_seconds=0.02))
    await until(lambda: workers[0].metric("hubblewatch_transaction_seconds_count") > 10)
    workers[0].kill()
    await publishing
    await until_counted([workers[1]], topics)
    assert difference(await topics.windows(), replayed[0]) == ""
    assert difference(await topics.alert_ids(), replayed[1]) == ""


SHORT_WINDOWS = {
    "window": {
        "size_seconds": 5,
        "lateness_seconds": 2,
        "settle_seconds": 1,
        "connection_idle_seconds": 10,
    }
}


async def send_one_by_one(topics: Topics, values, **producer_settings) -> None:
    """As a log shipper does that knows nothing of namespaces: one line a record, no key."""
    producer = AIOKafkaProducer(
        bootstrap_servers=topics.settings.bootstrap_servers, **producer_settings
    )
    await producer.start()
    try:
        for value in values:
            if producer_settings:
                async with producer.transaction():
                    await producer.send_and_wait(f"{topics.prefix}flows", value, partition=3)
            else:
                await producer.send_and_wait(f"{topics.prefix}flows", value, partition=3)
    finally:
        await producer.stop()


def steady(seconds: int, begin: int = 0) -> list[bytes]:
    return [
        flow(
            pod("shop/cart-1"),
            pod("shop/db-0"),
            at=float(begin + second),
            ports=(40_000 + second, 80),
        )
        for second in range(seconds)
    ]


async def test_single_lines_of_a_foreign_shipper_close_windows_and_the_clock_closes_the_last(
    topics, make_worker
):
    worker = make_worker(other=SHORT_WINDOWS, quiet_after_seconds=2)
    worker.start()
    await send_one_by_one(topics, steady(18))
    await until(lambda: worker.metric("hubblewatch_windows_closed_total") >= 2)
    begin = time.monotonic()

    async def attempts() -> int:
        return sum(json.loads(window)["attempts"] for window in await topics.windows())

    async def are_closed() -> bool:
        return await attempts() == 18

    await until(are_closed)
    assert time.monotonic() - begin < 30
    assert worker.get("/healthz")[0] == 200


async def test_the_markers_of_a_transactional_shipper_are_no_lag(topics, make_worker):
    worker = make_worker(other=SHORT_WINDOWS, stuck_after_seconds=5)
    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    await send_one_by_one(topics, steady(18), transactional_id=f"{topics.prefix}shipper")
    await until(lambda: worker.metric("hubblewatch_flows_total") >= 17)
    await until_counted([worker], topics)
    await asyncio.sleep(6)
    assert worker.get("/healthz")[0] == 200
    assert worker.metric("hubblewatch_missing_records_total") >= 17


async def test_lines_that_cannot_be_used_are_kept_with_their_reason_and_place(topics, make_worker):
    worker = make_worker(other=SHORT_WINDOWS)
    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    good = steady(18)
    poison = [b"\x00\xff{", b'{"flow":{"time":17}}', b"[1]", b'{"cats":1}', b"", b"{" * 100_000]
    await send_one_by_one(topics, [*good[:9], *poison, *good[9:]])
    await until_counted([worker], topics)

    async def kept() -> list:
        return await topics.read("rejects")

    async def are_kept() -> bool:
        return len(await kept()) == 5

    await until(are_kept)
    headers = [dict(record.headers) for record in await kept()]
    assert {each["reason"] for each in headers} >= {b"malformed", b"wrong-type", b"unknown"}
    places = [each["place"].decode() for each in headers]
    assert places[0] == "partition 3 offset 9 line:1"
    assert worker.metric("hubblewatch_rejected_lines_total") == 5
    assert worker.metric("hubblewatch_flows_total") == 18
    assert len(await topics.windows()) >= 2


async def test_an_idle_worker_is_well(topics, make_worker):
    worker = make_worker(stuck_after_seconds=5)
    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    await asyncio.sleep(9)
    assert worker.get("/healthz")[0] == 200


async def test_a_worker_whose_event_loop_hangs_turns_red(topics, make_worker, streams):
    worker = make_worker(
        entry=("tests.broker.faulty",),
        variables={"FAULT": "end:2:before:block"},
        stuck_after_seconds=5,
    )
    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    assert worker.get("/healthz")[0] == 200
    await topics.publish(streams)
    await until(lambda: worker.get("/healthz")[0] == 503, 30)
    report = json.loads(worker.get("/healthz")[1])
    assert not report["components"]["event-loop"]["healthy"]


async def bound_windows(topics: Topics, size: int) -> None:
    """Let the topic of windows take no records above ``size`` bytes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.settings.bootstrap_servers)
    await admin.start()
    try:
        name = f"{topics.prefix}windows"
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": str(size)})]
        )
    finally:
        await admin.close()


async def test_a_worker_whose_commits_are_refused_turns_red_until_they_are_not(
    topics, make_worker, streams, replayed
):
    await bound_windows(topics, 100)
    worker = make_worker(stuck_after_seconds=10)
    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    await topics.publish(streams)
    await until(lambda: worker.get("/healthz")[0] == 503, 40)
    report = json.loads(worker.get("/healthz")[1])
    reasons = {part.get("reason") for part in report["components"].values() if not part["healthy"]}
    assert any("raise max.message.bytes" in reason for reason in reasons)

    await bound_windows(topics, 1 << 20)
    await until_counted([worker], topics, 90)
    assert worker.get("/healthz")[0] == 200
    assert "reason" not in worker.get("/healthz")[1]
    assert difference(await topics.windows(), replayed[0]) == ""


async def test_no_topics_are_waited_for_with_a_word_on_how_to_make_them(
    kafka, topic_prefix, tmp_path
):
    topics = Topics(kafka.bootstrap, topic_prefix)
    worker = WorkerProcess(tmp_path, topics)
    worker.start()
    try:
        await until(lambda: "hubblewatch topics --apply" in worker.log)
        assert worker.get("/readyz")[0] == 503
        assert worker.get("/healthz")[0] == 200
        await topics.create()
        await until(lambda: worker.get("/readyz")[0] == 200)
        assert worker.stop() < 10
    finally:
        worker.kill()


async def test_too_few_partitions_of_the_state_are_refused(kafka, topic_prefix, tmp_path):
    topics = Topics(kafka.bootstrap, topic_prefix, partitions=2)
    await topics.create()
    from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_partitions({f"{topic_prefix}flows": NewPartitions(total_count=3)})
    await admin.close()
    worker = WorkerProcess(tmp_path, topics)
    worker.start()
    try:
        assert await asyncio.to_thread(worker.wait, 30) == 2
        assert "hubblewatch topics --apply" in worker.log
    finally:
        worker.kill()


async def test_more_workers_than_partitions_are_ready_all_the_same(kafka, topic_prefix, tmp_path):
    topics = Topics(kafka.bootstrap, topic_prefix, partitions=1)
    await topics.create()
    workers = [WorkerProcess(tmp_path, topics, f"worker-{number}") for number in range(2)]
    try:
        for worker in workers:
            worker.start()
        await until(lambda: all(worker.get("/readyz")[0] == 200 for worker in workers))
        for worker in workers:
            assert worker.stop() < 10
    finally:
        for worker in workers:
            worker.kill()


async def test_a_worker_logs_in_over_tls(kafka, topics, make_worker, authority):
    address = kafka.address("SASL_SSL")
    worker = make_worker(
        kafka={
            "bootstrap_servers": address,
            "security": {
                "protocol": "SASL_SSL",
                "ca_file": str(authority.ca_file),
                "username": "alice",
                "password": "alice-secret",
            },
        },
        other=SHORT_WINDOWS,
    )
    worker.start()
    await until(lambda: worker.get("/readyz")[0] == 200)
    await send_one_by_one(topics, steady(18))
    await until(lambda: worker.metric("hubblewatch_windows_closed_total") >= 2)
    assert "alice-secret" not in worker.log
