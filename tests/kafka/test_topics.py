import pytest

from hubblewatch.kafka.topic_report import compare
from hubblewatch.kafka.topics import FoundTopic, topic_names, wanted_topics
from hubblewatch.settings import KafkaSettings

NAMES = topic_names(KafkaSettings())
HOUR_MS = 3_600_000


def found(**partitions):
    """Existing topics with one copy: found(flows=12)."""
    names = {short: getattr(NAMES, short) for short in partitions}
    return {names[short]: FoundTopic(names[short], n, 1) for short, n in partitions.items()}


def wanted(brokers=3, existing=None, **settings):
    topics = wanted_topics(KafkaSettings(**settings), brokers, existing or {})
    return {topic.name: topic for topic in topics}


def report(existing, configs=None, **settings):
    plan = wanted_topics(KafkaSettings(**settings), 1, existing)
    as_wanted = {topic.name: dict(topic.config) for topic in plan if topic.name in existing}
    return compare(plan, NAMES, existing, as_wanted | (configs or {}))


ALL = {"flows": 12, "windows": 12, "alerts": 12, "state": 12, "rejects": 1}


def test_the_prefix_is_in_every_name():
    assert topic_names(KafkaSettings(topic_prefix="a-")).all() == (
        "a-flows",
        "a-windows",
        "a-alerts",
        "a-state",
        "a-rejects",
    )


def test_retention_and_cleanup_are_those_of_the_contract():
    topics = wanted()
    rules = {
        name: (topic.config["cleanup.policy"], int(topic.config.get("retention.ms", 0)) / HOUR_MS)
        for name, topic in topics.items()
    }

    assert rules == {
        NAMES.flows: ("delete", 24),
        NAMES.windows: ("delete", 14 * 24),
        NAMES.alerts: ("compact,delete", 90 * 24),
        NAMES.state: ("compact", 0),
        NAMES.rejects: ("delete", 7 * 24),
    }


@pytest.mark.parametrize(("brokers", "copies", "in_step"), [(1, 1, "1"), (2, 2, "1"), (5, 3, "2")])
def test_there_are_three_copies_where_there_are_brokers_enough(brokers, copies, in_step):
    flows = wanted(brokers)[NAMES.flows]

    assert flows.replication_factor == copies
    assert flows.config["min.insync.replicas"] == in_step


def test_a_set_replication_factor_goes_before_the_number_of_brokers():
    assert wanted(brokers=1, replication_factor=4)[NAMES.state].replication_factor == 4


def test_flows_and_state_get_the_same_partitions_whatever_one_of_them_has():
    topics = wanted(existing=found(state=20))

    assert topics[NAMES.flows].partitions == topics[NAMES.state].partitions == 20
    assert topics[NAMES.windows].partitions == 12


def test_topics_as_wanted_leave_nothing_to_do():
    checked = report(found(**ALL))

    assert checked.as_wanted
    assert checked.obstacles == ()


def test_more_partitions_than_set_are_as_good():
    assert report(found(**ALL | {"windows": 24, "flows": 24, "state": 24})).as_wanted


def test_the_order_of_cleanup_policies_does_not_matter():
    existing = found(**ALL)
    alerts = report(existing).topics[2].wanted.config

    checked = report(existing, {NAMES.alerts: alerts | {"cleanup.policy": "delete, compact"}})

    assert checked.as_wanted


def test_more_copies_than_the_default_are_as_good():
    existing = found(**ALL) | {NAMES.rejects: FoundTopic(NAMES.rejects, 1, 2)}

    assert report(existing).as_wanted


def test_more_copies_than_set_are_a_difference():
    existing = found(**ALL) | {NAMES.rejects: FoundTopic(NAMES.rejects, 1, 2)}

    checked = report(existing, replication_factor=1)

    assert [each.field for each in checked.topics[4].differences] == ["replication.factor"]


def test_unequal_flows_and_state_are_an_obstacle():
    checked = report(found(**ALL | {"state": 6}))

    assert checked.obstacles == (
        "hubble.flows has 12 partitions and hubble.state 6: they must be equal",
    )


@pytest.mark.parametrize(
    ("topic", "policy", "told"),
    [
        (NAMES.state, "delete", "hubble.state has cleanup.policy delete: its records must be"),
        (NAMES.flows, "compact", "hubble.flows has cleanup.policy compact: its records must not"),
    ],
)
def test_a_cleanup_that_would_lose_what_is_needed_is_an_obstacle(topic, policy, told):
    (obstacle,) = report(found(**ALL), {topic: {"cleanup.policy": policy}}).obstacles

    assert obstacle.startswith(told)


def test_a_missing_topic_is_an_obstacle():
    checked = report(found(**{name: n for name, n in ALL.items() if name != "alerts"}))

    assert checked.obstacles == ("the topic hubble.alerts does not exist",)
    assert [topic.state for topic in checked.topics].count("missing") == 1


def test_another_retention_is_a_difference_but_no_obstacle():
    existing = found(**ALL)
    flows = report(existing).topics[0].wanted.config

    checked = report(existing, {NAMES.flows: flows | {"retention.ms": "1"}})

    assert checked.obstacles == ()
    assert [(each.field, each.found) for each in checked.topics[0].differences] == [
        ("retention.ms", "1")
    ]


def test_settings_that_cannot_be_read_leave_the_topic_unchecked():
    checked = report(found(**ALL), {NAMES.flows: "not allowed"})

    assert checked.topics[0].state == "unchecked"
    assert not checked.as_wanted
    assert checked.obstacles == ()
