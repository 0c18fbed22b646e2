"""Is Kafka reached, are its topics as wanted, do workers keep up, and do transactions work?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from hubblewatch.doctor.result import CheckResult, failed, passed, skipped, told, warned
from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka.group import GroupLag, group_lag
from hubblewatch.kafka.probe import Cluster, probe
from hubblewatch.kafka.topic_admin import check_topics
from hubblewatch.kafka.topic_report import TopicsReport
from hubblewatch.kafka.topics import topic_names
from hubblewatch.kafka.transaction import try_transaction
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind, explain
from hubblewatch.settings import KafkaSettings, Settings

CONNECTION, TOPICS, PARTITIONS = "kafka.connection", "kafka.topics", "kafka.partitions"
LAG, TRANSACTIONS = "kafka.lag", "kafka.transactions"
AFTER_CONNECTION = (TOPICS, PARTITIONS, LAG, TRANSACTIONS)

STEP_SECONDS = 20.0
"""How long one check may take."""

REQUEST_SECONDS = 10.0
"""Here somebody waits for the answer: shorter than the service's own patience."""

TRANSACTION_SECONDS = 15.0
SHOWN_PARTITIONS = 8


class KafkaTools(Struct, frozen=True):
    """What the checks reach out with; ``clock`` is epoch seconds."""

    probe: Callable[..., Awaitable[Cluster]] = probe
    topics: Callable[[KafkaSettings], Awaitable[TopicsReport]] = check_topics
    lag: Callable[[KafkaSettings, str, str, int], Awaitable[GroupLag]] = group_lag
    transaction: Callable[[KafkaSettings, str, float], Awaitable[None]] = try_transaction
    clock: Callable[[], float] = time.time


def is_kafka_set(settings: Settings) -> bool:
    """Tell whether a broker was given; the default one may mean nothing here."""
    return "bootstrap_servers" in settings.kafka.model_fields_set


def check_kafka(settings: Settings, tools: KafkaTools | None = None) -> list[CheckResult]:
    """Run all checks of Kafka; what needs a connection is skipped without one."""
    if not is_kafka_set(settings):
        why = "kafka.bootstrap_servers is not set"
        return [
            skipped(CONNECTION, why, "set it to look at Kafka too"),
            *(skipped(check, why) for check in AFTER_CONNECTION),
        ]
    return asyncio.run(_check(settings, KafkaTools() if tools is None else tools))


def impatient(settings: KafkaSettings) -> KafkaSettings:
    """Give the settings with a shorter patience."""
    seconds = min(settings.request_timeout_seconds, REQUEST_SECONDS)
    return settings.model_copy(update={"request_timeout_seconds": seconds})


async def bounded(settings: KafkaSettings, place: str, work: Awaitable[Any]) -> Any:
    """Wait for ``work``; raises KafkaTroubleError when it takes too long."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            return await work
    except TimeoutError:
        patience = settings.model_copy(update={"request_timeout_seconds": STEP_SECONDS})
        raise explain(TimeoutError(), patience, place) from None


async def _check(settings: Settings, tools: KafkaTools) -> list[CheckResult]:
    kafka = impatient(settings.kafka)
    names = topic_names(kafka)
    try:
        cluster = await bounded(kafka, kafka.bootstrap_servers, tools.probe(kafka))
    except (KafkaTroubleError, ConfigurationError) as error:
        return [
            _told(CONNECTION, error),
            *(skipped(check, "there is no connection") for check in AFTER_CONNECTION),
        ]
    brokers = len(cluster.brokers)
    several = "" if brokers == 1 else "s"
    results = [passed(CONNECTION, f"{brokers} broker{several} at {kafka.bootstrap_servers}")]
    report: TopicsReport | None = None
    try:
        report = await bounded(kafka, kafka.bootstrap_servers, tools.topics(kafka))
    except (KafkaTroubleError, ConfigurationError) as error:
        results += [_told(TOPICS, error), skipped(PARTITIONS, "the topics could not be read")]
    if report is not None:
        results += [judge_topics(report), judge_partitions(report)]
    found = {} if report is None else {t.wanted.name: t.found for t in report.topics}
    flows = found.get(names.flows)
    group = settings.worker.group
    if flows is None:
        results.append(skipped(LAG, f"{names.flows} is not there, or could not be read"))
    else:
        window = settings.window
        usual = 3.0 * (window.size_seconds + window.lateness_seconds + window.settle_seconds)
        work = tools.lag(kafka, group, names.flows, flows.partitions)
        results.append(
            await _judged(
                LAG,
                kafka,
                f"the group {group}",
                work,
                lambda lag: judge_lag(lag, group, tools.clock(), usual),
            )
        )
    # A name of its own, under the prefix that the workers' rights are for: it fences none of them.
    transactional_id = f"{group}-doctor"
    results.append(
        await _judged(
            TRANSACTIONS,
            kafka,
            f"the transactional id {transactional_id}",
            tools.transaction(kafka, transactional_id, TRANSACTION_SECONDS),
            lambda _: passed(TRANSACTIONS, f"an empty transaction of {transactional_id} committed"),
        )
    )
    return results


async def _judged(
    check: str,
    kafka: KafkaSettings,
    place: str,
    work: Awaitable[Any],
    judge: Callable[[Any], CheckResult],
) -> CheckResult:
    try:
        return judge(await bounded(kafka, place, work))
    except (KafkaTroubleError, ConfigurationError) as error:
        return _told(check, error)


def judge_topics(report: TopicsReport) -> CheckResult:
    """Obstacles are failures; other differences only cost something."""
    apply = "hubblewatch topics shows all, and with --apply does what it can"
    if report.obstacles:
        return failed(TOPICS, "; ".join(report.obstacles), apply)
    differing = [topic for topic in report.topics if topic.differences]
    if differing:
        words = "; ".join(
            f"{topic.wanted.name} {each.field} is {each.found}, wanted is {each.wanted}"
            for topic in differing
            for each in topic.differences
        )
        return warned(TOPICS, words, apply)
    unchecked = [topic for topic in report.topics if topic.unchecked is not None]
    if unchecked:
        return warned(
            TOPICS,
            f"they exist, but their settings could not be read: {unchecked[0].unchecked}",
            "grant DescribeConfigs on the topics to check them",
        )
    return passed(TOPICS, f"{len(report.topics)} topics as wanted")


def judge_partitions(report: TopicsReport) -> CheckResult:
    """Partition n of the flows belongs to partition n of the state."""
    found = {topic.wanted.name: topic.found for topic in report.topics}
    flows, state = found.get(report.names.flows), found.get(report.names.state)
    if flows is None or state is None:
        return skipped(PARTITIONS, "there are no topics yet to compare")
    what = f"{flows.name} has {flows.partitions}, {state.name} has {state.partitions}"
    if flows.partitions != state.partitions:
        return failed(PARTITIONS, what, "they must be equal: hubblewatch topics --apply")
    return passed(PARTITIONS, what)


def judge_lag(found: GroupLag, group: str, now: float, usual_seconds: float) -> CheckResult:
    """Records of open windows are never done with: the lag's age tells more than its size."""
    lags = [lag for lag in found.partitions if lag.lag]
    total = sum(lag.lag for lag in lags)
    of_each = ", ".join(
        f"{lag.partition}: {lag.lag:,}"
        for lag in sorted(lags, key=lambda lag: -lag.lag)[:SHOWN_PARTITIONS]
    )
    oldest = min((lag.timestamp_ms for lag in lags if lag.timestamp_ms is not None), default=None)
    age = None if oldest is None else max(0.0, now - oldest / 1000)
    members = f"{found.members} member{'' if found.members == 1 else 's'}"
    what = f"group {group}, {members}, {total:,} records not yet done with"
    if of_each:
        what += f" (by partition {of_each})"
    if age is not None:
        what += f", the oldest sent {age:,.0f} s ago"
    if not found.members:
        remedy = "start one by: hubblewatch detect; else see worker.group"
        return warned(LAG, f"no worker runs: {what}", remedy)
    if total and age is not None and age > usual_seconds:
        return warned(
            LAG,
            f"{what}; {usual_seconds:,.0f} s are usual at most",
            "see the workers' logs and /healthz; more workers help up to the number of partitions",
        )
    return passed(LAG, what)


def _told(check: str, error: Exception) -> CheckResult:
    if isinstance(error, KafkaTroubleError):
        remedy = error.remedy
        if error.kind is TroubleKind.NOT_AUTHORIZED and check == TRANSACTIONS:
            remedy = "grant Write and Describe on transactional ids that begin with worker.group"
        return failed(check, error.reason, remedy)
    return told(check, error)
