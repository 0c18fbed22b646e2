"""Compares the topics in Kafka with those that are wanted, and makes them so."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.probe import probe
from hubblewatch.kafka.topic_report import TopicsReport, TopicState, compare
from hubblewatch.kafka.topics import topic_names, wanted_topics
from hubblewatch.kafka.trouble import explain
from hubblewatch.settings import KafkaSettings

SETTLE_SECONDS = 10.0
"""How long after a change the brokers may still answer as before."""

_LOOK_SECONDS = 0.2
_SET_FOR_THIS_TOPIC = 1
"""Kafka's code for a setting's source: of the topic itself, and no default."""


async def check_topics(settings: KafkaSettings) -> TopicsReport:
    """Return how the topics differ from what the settings want; changes nothing.

    A client that may not read topics' settings gets a report without them. Raises
    KafkaTroubleError when Kafka cannot be used.
    """
    names = topic_names(settings)
    cluster = await probe(settings, names.all())
    wanted = wanted_topics(settings, len(cluster.brokers), cluster.topics)
    configs: dict[str, Mapping[str, str] | str] = {}
    if cluster.topics:
        async with _admin(settings) as admin:
            for name, (values, _, fault) in (await _describe(admin, list(cluster.topics))).items():
                configs[name] = str(explain(fault, settings, name)) if fault else values
    return compare(wanted, names, cluster.topics, configs)


async def apply_topics(settings: KafkaSettings) -> TopicsReport:
    """Create what is missing, change what can be changed, and return the report of what is left.

    Settings of a topic that are not ours stay. Raises KafkaTroubleError when Kafka refuses; what
    was done before stays done, and another run goes on from there.
    """
    before = await check_topics(settings)
    async with _admin(settings) as admin:
        await _create(admin, settings, [topic for topic in before.topics if topic.found is None])
        for topic in before.topics:
            if topic.found is not None:
                await _change(admin, settings, topic)
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        after = await check_topics(settings)
        pending = any(
            topic.found is None or any(each.appliable for each in topic.differences)
            for topic in after.topics
        )
        if not pending or asyncio.get_running_loop().time() > deadline:
            return after
        await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection_arguments(settings))
    try:
        await admin.start()
        yield admin
    except (OSError, KafkaError) as error:
        raise explain(error, settings, settings.bootstrap_servers) from error
    finally:
        await admin.close()


async def _create(
    admin: AIOKafkaAdminClient, settings: KafkaSettings, missing: Sequence[TopicState]
) -> None:
    if not missing:
        return
    answer = await admin.create_topics(
        [
            NewTopic(
                topic.wanted.name,
                topic.wanted.partitions,
                topic.wanted.replication_factor,
                topic_configs=dict(topic.wanted.config),
            )
            for topic in missing
        ]
    )
    for name, code, message in answer.topic_errors:
        kind = for_code(code)
        if kind is not NoError and kind is not TopicAlreadyExistsError:
            raise explain(kind(message), settings, name)


async def _change(admin: AIOKafkaAdminClient, settings: KafkaSettings, topic: TopicState) -> None:
    name = topic.wanted.name
    fields = {each.field for each in topic.differences if each.appliable}
    if "partitions" in fields:
        try:
            await admin.create_partitions({name: NewPartitions(topic.wanted.partitions)})
        except KafkaError as error:
            raise explain(error, settings, name) from error
    if not fields - {"partitions"}:
        return
    # This request replaces all that is set for the topic: what others have set goes along.
    _, own, fault = (await _describe(admin, [name]))[name]
    if fault is not None:
        raise explain(fault, settings, name)
    resource = ConfigResource(ConfigResourceType.TOPIC, name, own | dict(topic.wanted.config))
    for answer in await admin.alter_configs([resource]):
        for code, message, *_ in answer.resources:
            kind = for_code(code)
            if kind is not NoError:
                raise explain(kind(message), settings, name)


async def _describe(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, tuple[dict[str, str], dict[str, str], KafkaError | None]]:
    """Return for each topic all settings, those set for itself, and why they are unknown if so."""
    described = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            kind = for_code(code)
            values = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
            own = {
                entry[0]: entry[1]
                for entry in entries
                if entry[1] is not None and entry[3] == _SET_FOR_THIS_TOPIC
            }
            described[name] = (values, own, None if kind is NoError else kind(message))
    return described
