"""The node that the other tests rely on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from deploy.local.kafka import FolderInUseError, KafkaNode, KafkaStartError, PortTakenError

REPOSITORY = Path(__file__).parents[2]


async def write(node, topic, values):
    admin = AIOKafkaAdminClient(bootstrap_servers=node.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=node.bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def read(node, topic, count):
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=node.bootstrap) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]


def test_a_cluster_id_may_begin_with_a_dash(kafka_engine, tmp_path, monkeypatch):
    monkeypatch.setattr("deploy.local.kafka.node._cluster_id", lambda: "-HViYmxld2F0Y2gtZGVtbw")
    with KafkaNode(tmp_path / "kafka", engine=kafka_engine) as node:
        assert node.bootstrap


async def test_records_and_address_outlive_a_kill(own_kafka):
    address = own_kafka.bootstrap
    await write(own_kafka, "kept", [b"1", b"2"])

    own_kafka.restart(crash=True)

    assert own_kafka.bootstrap == address
    assert await read(own_kafka, "kept", 2) == [b"1", b"2"]


def test_a_taken_port_is_named(kafka, kafka_engine, tmp_path):
    port = int(kafka.bootstrap.rpartition(":")[2])

    with pytest.raises(PortTakenError, match=f"port {port}, wanted for PLAINTEXT, is taken"):
        KafkaNode(tmp_path / "second", port=port, engine=kafka_engine).start()


def test_a_folder_in_use_is_refused_before_anything_is_touched(kafka, kafka_engine):
    properties = (kafka.folder / "server.properties").read_text()

    with pytest.raises(FolderInUseError, match=str(kafka.folder)):
        KafkaNode(kafka.folder, engine=kafka_engine).start()

    assert (kafka.folder / "server.properties").read_text() == properties


def test_a_start_that_takes_too_long_is_ended(kafka_engine, tmp_path):
    node = KafkaNode(tmp_path / "slow", engine=kafka_engine)

    with pytest.raises(KafkaStartError, match="did not answer in time"):
        node.start(ready_within_seconds=0)

    assert not node.running


def make_kafka(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local.kafka", "--port", "0", "--data", str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_until(process, last):
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if last in line:
            break
    return lines


def children_of(process):
    return [child for child in psutil.Process(process.pid).children() if child.name() != "sh"]


def test_the_command_says_where_it_is_and_stops_by_ctrl_c(kafka_engine, tmp_path):
    with make_kafka(tmp_path / "data") as process:
        told = lines_until(process, "ctrl-c")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0

        assert any(line.startswith("bootstrap servers  127.0.0.1:") for line in told)
        assert f"data folder        {tmp_path / 'data'}" in told
        assert "Kafka has stopped" in process.stdout.read()


def test_a_broker_does_not_outlive_the_process_that_started_it(kafka_engine, tmp_path):
    with make_kafka(tmp_path / "data") as process:
        lines_until(process, "ctrl-c")
        (broker,) = children_of(process)
        os.kill(process.pid, signal.SIGKILL)

        _, alive = psutil.wait_procs([broker], timeout=10)

    assert not alive
