"""What the worker uses of Faust, mode and aiokafka beyond their public interfaces is there."""

from __future__ import annotations

import asyncio
import inspect

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from faust._cython.streams import StreamIterator
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.threads import ServiceThread
from tests.worker.ledgers import FakeLedger, Heard, Log

from hubblewatch.kafka.connection import BrokerCredentials
from hubblewatch.kafka.pacing import pace
from hubblewatch.worker.app import AppSettings, FlowApp
from hubblewatch.worker.partitions import Partitions


def flow_app(**settings) -> FlowApp:
    partitions = Partitions(
        lambda *_: pytest.fail("no partition is opened here"),
        lambda _: FakeLedger(Log()),
        Heard(),
        lambda _: None,
    )

    async def tick(app: FlowApp) -> None:
        pass

    given = {"group": "g", "topic": "hubble.flows", "brokers": ["aiokafka://127.0.0.1:1"]}
    return FlowApp(AppSettings(**(given | settings)), partitions, tick)


async def test_faust_is_told_what_it_must_not_do():
    conf = flow_app().app.conf
    assert conf.consumer_group_instance_id is None
    assert conf.stream_wait_empty is False
    assert conf.topic_allow_declare is False
    assert conf.topic_disable_leader is True
    assert conf.web_enabled is False
    assert conf.consumer_auto_offset_reset == "earliest"
    assert conf.broker_session_timeout < conf.broker_request_timeout


async def test_no_more_records_are_decompressed_at_once_than_are_to_be_buffered():
    app = flow_app(buffered_records=7).app
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    assert consumer._max_poll_records == 7
    await consumer.stop()


async def test_faust_acknowledges_nothing_of_the_flows():
    app = flow_app().app
    app.finalize()
    (agent,) = app.agents.values()
    assert agent.channel.acks is False
    assert not app.topics.acks_enabled_for("hubble.flows")


async def test_faust_makes_no_folders_where_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "_create_directories" in inspect.getsource(faust.App.on_first_start)
    await flow_app().app.on_first_start()
    assert list(tmp_path.iterdir()) == []


async def test_what_is_fetched_next_can_be_looked_up():
    app = flow_app()
    assert app.fetched() == {}
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    app.app.consumer._thread._consumer = consumer
    assert app.fetched() == {}
    partition = TopicPartition("hubble.flows", 3)
    consumer.assign([partition])
    assert app.fetched() == {}
    consumer._subscription.subscription.assignment.state_value(partition).reset_to(17)
    assert app.fetched() == {3: 17}
    await consumer.stop()


async def test_the_queues_between_consumer_and_agent_can_be_seen():
    app = flow_app()
    assert app.is_drained
    app.app.flow_control.resume()
    queue = app.app.topic("hubble.flows").queue
    assert queue in app.app.flow_control._queues
    queue.put_nowait(b"record")
    assert not app.is_drained


async def test_the_thread_of_the_consumer_can_be_seen():
    consumer = flow_app().app.consumer
    assert isinstance(consumer._thread, AIOKafkaConsumerThread)
    assert isinstance(consumer._thread, ServiceThread)
    assert consumer._thread._thread is None


def test_the_stream_with_the_fast_path_is_there():
    assert StreamIterator is not None


async def test_the_parts_of_aiokafka_that_are_reached_into_are_there():
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="t")
    assert isinstance(producer.client, AIOKafkaClient)
    assert producer._sender.sender_task is None
    assert inspect.iscoroutinefunction(producer.client._metadata_update)
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    for name in ("end_offsets", "beginning_offsets", "position", "seek_to_beginning"):
        assert inspect.iscoroutinefunction(getattr(consumer, name))
    await producer.stop()
    await consumer.stop()


async def test_metadata_is_not_asked_for_without_a_pause():
    asked = 0

    class Client:
        async def _metadata_update(self, *arguments: object) -> bool:
            nonlocal asked
            asked += 1
            return False

    client = Client()
    pace(client)

    async def ask_on() -> None:
        while True:
            await client._metadata_update("cluster", [])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask_on(), 0.6)
    assert 2 <= asked <= 3


async def test_logins_reach_faust_as_they_reach_aiokafka():
    credentials = BrokerCredentials(None, "SCRAM-SHA-512", "alice", "secret")
    given = flow_app(credentials=credentials).app.conf.broker_credentials
    assert given.protocol.value == "SASL_PLAINTEXT"
    assert (given.mechanism.value, given.username) == ("SCRAM-SHA-512", "alice")


async def test_a_start_that_fails_ends_the_run_and_can_be_tried_again():
    from hubblewatch.worker.errors import FaustError

    with pytest.raises(FaustError):
        await asyncio.wait_for(flow_app().run(asyncio.Event()), 20)


async def test_a_run_can_be_stopped_while_faust_starts():
    stop = asyncio.Event()
    stop.set()
    await asyncio.wait_for(flow_app().run(stop), 10)
