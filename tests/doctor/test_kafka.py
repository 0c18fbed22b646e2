from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hubblewatch.doctor import kafka
from hubblewatch.doctor.kafka import KafkaTools, check_kafka, judge_lag
from hubblewatch.doctor.result import CheckResult, Status
from hubblewatch.kafka.group import GroupLag, PartitionLag
from hubblewatch.kafka.probe import Cluster
from hubblewatch.kafka.topic_report import TopicsReport, compare
from hubblewatch.kafka.topics import FoundTopic, topic_names, wanted_topics
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind
from hubblewatch.settings import KafkaSettings, Settings

NOW = 1_800_000_000.0
SETTINGS = Settings(kafka=KafkaSettings(bootstrap_servers="kafka:9092", partitions=3))
NAMES = topic_names(SETTINGS.kafka)
QUIET = GroupLag("Stable", 2, (PartitionLag(0, 0, 9, 9), PartitionLag(1, 0, 9, 9)))


def reported(**changed: int | None) -> TopicsReport:
    """Topics as wanted, but for the partitions of some; None is a missing one."""
    numbers: dict[str, int | None] = {
        "flows": 3, "windows": 3, "alerts": 3, "state": 3, "rejects": 1, **changed
    }  # fmt: skip
    found = {
        f"hubble.{name}": FoundTopic(f"hubble.{name}", count, 1)
        for name, count in numbers.items()
        if count is not None
    }
    wanted = wanted_topics(SETTINGS.kafka, 1, found)
    return compare(wanted, NAMES, found, {topic.name: topic.config for topic in wanted})


def answering(value: Any) -> Any:
    """Something to await that gives ``value``, or raises it."""

    async def answer(*_: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return answer


def tools_of(**others: Any) -> KafkaTools:
    given = {
        "probe": Cluster(("kafka:9092",)),
        "topics": reported(),
        "lag": QUIET,
        "transaction": None,
    } | others
    return KafkaTools(
        clock=lambda: NOW, **{name: answering(value) for name, value in given.items()}
    )


def checked(**others: Any) -> dict[str, CheckResult]:
    return {result.id: result for result in check_kafka(SETTINGS, tools_of(**others))}


def test_without_brokers_all_is_skipped() -> None:
    results = check_kafka(Settings(), tools_of(probe=AssertionError("asked")))
    assert {result.status for result in results} == {Status.SKIP}


def test_a_kafka_as_wanted_passes() -> None:
    found = checked()
    assert list(found) == [
        "kafka.connection",
        "kafka.topics",
        "kafka.partitions",
        "kafka.lag",
        "kafka.transactions",
    ]
    assert {result.status for result in found.values()} == {Status.PASS}


def test_a_kafka_that_is_not_reached_fails_once_and_says_what_to_do() -> None:
    away = KafkaTroubleError(TroubleKind.UNREACHABLE, "nothing listens", "start it")
    results = list(checked(probe=away).values())
    assert (results[0].status, results[0].remedy) == (Status.FAIL, "start it")
    assert {result.status for result in results[1:]} == {Status.SKIP}


def test_a_missing_topic_fails_and_the_lag_is_skipped() -> None:
    found = checked(topics=reported(flows=None))
    assert found["kafka.topics"].status is Status.FAIL
    assert "hubble.flows does not exist" in found["kafka.topics"].detail
    assert found["kafka.lag"].status is Status.SKIP
    assert found["kafka.transactions"].status is Status.PASS


def test_unequal_partitions_fail() -> None:
    result = checked(topics=reported(state=6))["kafka.partitions"]
    assert result.status is Status.FAIL
    assert "hubble.flows has 3, hubble.state has 6" in result.detail


def test_a_topic_that_differs_warns() -> None:
    result = checked(topics=reported(windows=1))["kafka.topics"]
    assert result.status is Status.WARN
    assert "hubble.windows partitions is 1, wanted is 3" in result.detail


def test_transactions_that_are_refused_fail_with_the_right_that_is_missing() -> None:
    refused = KafkaTroubleError(TroubleKind.NOT_AUTHORIZED, "not allowed", "grant it")
    result = checked(transaction=refused)["kafka.transactions"]
    assert result.status is Status.FAIL
    assert "transactional ids" in result.remedy


def test_a_check_that_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "STEP_SECONDS", 0.05)

    async def hang(*_: Any) -> None:
        await asyncio.sleep(60)

    tools = tools_of()
    tools = KafkaTools(tools.probe, tools.topics, hang, tools.transaction)  # type: ignore[arg-type]
    found = {result.id: result for result in check_kafka(SETTINGS, tools)}
    assert found["kafka.lag"].status is Status.FAIL
    assert "no answer" in found["kafka.lag"].detail
    assert found["kafka.transactions"].status is Status.PASS


def behind(age: float, members: int = 1) -> GroupLag:
    sent = round((NOW - age) * 1000)
    partition = PartitionLag(1, 0, 50, 20, sent)
    return GroupLag(
        "Stable" if members else "Empty", members, (PartitionLag(0, 0, 5, 5), partition)
    )


def test_a_lag_of_open_windows_is_usual() -> None:
    result = judge_lag(behind(90), "hubblewatch", NOW, 219)
    assert result.status is Status.PASS
    assert "30 records not yet done with (by partition 1: 30), the oldest sent 90 s" in (
        result.detail
    )


def test_a_lag_that_is_old_warns() -> None:
    assert judge_lag(behind(300), "hubblewatch", NOW, 219).status is Status.WARN


def test_a_group_without_members_warns() -> None:
    result = judge_lag(behind(1, members=0), "hubblewatch", NOW, 219)
    assert result.status is Status.WARN
    assert "no worker runs" in result.detail


def test_records_that_are_gone_are_no_lag() -> None:
    assert PartitionLag(0, begin=40, end=50, committed=10).lag == 10
    assert PartitionLag(0, begin=40, end=50, committed=None).lag == 10
