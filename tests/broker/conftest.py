"""A real Kafka for the tests: one node for the session, and topics of its own for each test."""

import os
import re
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from deploy.local.kafka import Authority, KafkaNode, KafkaUnavailableError, Security
from deploy.local.kafka.engine import find_engine
from tests.broker.detecting import exported, wanted_records
from tests.kafka.partitioned import whole

from hubblewatch.settings import KafkaSettings
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, simulate

USERS = {"alice": "alice-secret", "bob": "bob-secret"}
"""Who may log in by SASL; alice may do everything, bob nothing."""

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.broker)


@pytest.fixture(scope="session")
def kafka_engine():
    """What runs the brokers; without one the test is skipped, or fails where Kafka is required."""
    try:
        return find_engine()
    except KafkaUnavailableError as reason:
        if os.environ.get("HUBBLEWATCH_REQUIRE_KAFKA") == "1":
            pytest.fail(f"Kafka is required here: {reason}", pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority that signed the broker's certificate."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def kafka(kafka_engine, authority, tmp_path_factory):
    """The session's running node, with the secured listeners too. Leave it running."""
    security = Security(authority, USERS, administrators=["alice", "exporter"])
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaNode(folder, security=security, engine=kafka_engine) as node:
        yield node


@pytest.fixture
def own_kafka(kafka_engine, tmp_path):
    """A running node for one test, which may kill it."""
    with KafkaNode(tmp_path / "kafka", engine=kafka_engine) as node:
        yield node


@pytest.fixture
def topic_prefix(request):
    """A prefix that no other test's topics have."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:60]
    return f"{name}-{uuid.uuid4().hex[:8]}."


@pytest.fixture
def kafka_settings(kafka, topic_prefix):
    """Settings of the session's node, PLAINTEXT, with topics of this test and few partitions."""
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap,
        topic_prefix=topic_prefix,
        partitions=3,
        request_timeout_seconds=10,
    )


@pytest.fixture(scope="session")
def client_certificate(authority):
    """A certificate of the administrator 'exporter'."""
    return authority.issue("exporter")


@pytest.fixture(scope="session")
def expired_certificate(authority):
    """A certificate that is no longer valid."""
    return authority.issue("late", valid_for=timedelta(days=-3))


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory):
    """An authority that the broker does not know."""
    return Authority(tmp_path_factory.mktemp("other-authority"), "other-ca")


@pytest.fixture(scope="session")
def recording():
    """Lines of a simulated cluster, twelve minutes with one alert."""
    config = SimulationConfig(
        seed=7,
        minutes=12,
        rate=6.0,
        nodes=3,
        namespaces=6,
        workloads=14,
        disorder_seconds=4.0,
        scenarios=(ScenarioSpec.parse("policy-break:at=4"),),
    )
    return [line.rstrip(b"\n") for line in simulate(config)]


@pytest.fixture(scope="session")
def replayed(recording):
    """What one replay of the recording says: windows, and ids of alerts."""
    windows, alerts = wanted_records(whole(recording))
    assert len(windows) > 50
    assert alerts
    return windows, alerts


@pytest.fixture(scope="session")
def streams(recording):
    """The recording as an exporter puts it into twelve partitions."""
    return exported(recording)
