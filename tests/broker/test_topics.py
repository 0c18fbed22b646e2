"""`hubblewatch topics` and what is below it, against a real broker."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hubblewatch.cli import main
from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.topic_admin import apply_topics, check_topics
from hubblewatch.kafka.topics import topic_names
from hubblewatch.kafka.trouble import KafkaTroubleError


@asynccontextmanager
async def admin_of(settings):
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create(settings, name, partitions, config):
    async with admin_of(settings) as admin:
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        assert [error[1] for error in answer.topic_errors] == [0]
        # The controller has answered; the broker learns of the topic a moment later.
        async with asyncio.timeout(30):
            while True:
                if name in await admin.list_topics():
                    return
                await asyncio.sleep(0.1)


async def config_of(settings, name):
    async with admin_of(settings) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        (answer,) = await admin.describe_configs([resource])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


def by_name(report):
    return {topic.wanted.name: topic for topic in report.topics}


async def test_checking_creates_nothing(kafka_settings):
    names = topic_names(kafka_settings)

    first = await check_topics(kafka_settings)
    second = await check_topics(kafka_settings)

    assert [topic.state for topic in first.topics] == ["missing"] * 5
    assert second == first
    assert second.obstacles == tuple(f"the topic {name} does not exist" for name in names.all())


async def test_applying_creates_the_topics_as_the_contract_says(kafka_settings):
    names = topic_names(kafka_settings)

    report = await apply_topics(kafka_settings)

    assert report.as_wanted
    assert report.obstacles == ()
    partitions = {name: topic.found.partitions for name, topic in by_name(report).items()}
    assert partitions == dict.fromkeys(names.all(), 3) | {names.rejects: 1}
    flows = await config_of(kafka_settings, names.flows)
    assert (flows["cleanup.policy"], flows["retention.ms"]) == ("delete", str(24 * 3600 * 1000))
    assert (await config_of(kafka_settings, names.state))["cleanup.policy"] == "compact"
    assert (await config_of(kafka_settings, names.alerts))["cleanup.policy"] == "compact,delete"


async def test_applying_twice_changes_nothing_more(kafka_settings):
    first = await apply_topics(kafka_settings)

    assert await apply_topics(kafka_settings) == first


async def test_applying_mends_partitions_and_settings_and_leaves_what_others_set(kafka_settings):
    flows = topic_names(kafka_settings).flows
    theirs = {"retention.ms": "1000", "flush.messages": "777"}
    await create(kafka_settings, flows, 1, theirs)

    before = by_name(await check_topics(kafka_settings))[flows]
    after = by_name(await apply_topics(kafka_settings))[flows]

    assert {each.field for each in before.differences} >= {"partitions", "retention.ms"}
    assert after.state == "as wanted"
    assert after.found.partitions == 3
    config = await config_of(kafka_settings, flows)
    assert config["retention.ms"] == "86400000"
    assert config["flush.messages"] == "777"


async def test_state_is_made_with_as_many_partitions_as_flows_has(kafka_settings):
    names = topic_names(kafka_settings)
    await create(kafka_settings, names.flows, 5, {})

    report = by_name(await apply_topics(kafka_settings))

    assert report[names.flows].found.partitions == 5
    assert report[names.state].found.partitions == 5
    assert report[names.windows].found.partitions == 3


async def test_more_copies_than_brokers_is_refused_in_kafkas_words(kafka_settings):
    settings = kafka_settings.model_copy(update={"replication_factor": 3})

    with pytest.raises(KafkaTroubleError, match="replication factor of 3 cannot be reached"):
        await apply_topics(settings)


async def test_another_replication_is_told_and_left_alone(kafka_settings):
    await apply_topics(kafka_settings)
    settings = kafka_settings.model_copy(update={"replication_factor": 3})

    report = await apply_topics(settings)

    assert not report.as_wanted
    (difference,) = report.topics[0].differences
    assert (difference.field, difference.wanted, difference.found) == (
        "replication.factor",
        "3",
        "1",
    )
    assert "kafka-reassign-partitions.sh" in difference.remedy
    # With one copy, two that must be in step would stop all writing.
    assert report.topics[0].wanted.config["min.insync.replicas"] == "1"


@pytest.fixture
def variables(kafka, topic_prefix, monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap)
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__PARTITIONS", "2")
    return topic_prefix


def test_the_command_leaves_by_one_until_applied_and_then_by_zero(variables, capsys):
    assert main(["topics"]) == 1
    assert f"{variables}flows    missing" in capsys.readouterr().out

    assert main(["topics", "--apply"]) == 0
    assert "all topics are as wanted" in capsys.readouterr().out

    assert main(["topics"]) == 0


def test_the_command_prints_one_json_object_and_nothing_else(variables, capsys):
    assert main(["topics", "--apply", "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed["as_wanted"] is True
    assert [topic["name"] for topic in printed["topics"]] == [
        f"{variables}{name}" for name in ("flows", "windows", "alerts", "state", "rejects")
    ]
    assert printed["topics"][0]["found"] == {"partitions": 2, "replication_factor": 1}
