"""TLS, SASL and their troubles against the listeners of a real broker."""

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from hubblewatch.kafka.connection import connection_arguments
from hubblewatch.kafka.probe import probe, wait_for_kafka
from hubblewatch.kafka.topic_admin import apply_topics
from hubblewatch.kafka.topics import topic_names
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind
from hubblewatch.settings import KafkaSettings


@pytest.fixture
def settings_for(kafka, authority, topic_prefix):
    def build(listener, address=None, **security):
        if listener in ("SSL", "MTLS", "SASL_SSL"):
            security = {"ca_file": authority.ca_file} | security
        protocol = "SSL" if listener == "MTLS" else listener
        return KafkaSettings(
            bootstrap_servers=address or kafka.address(listener),
            topic_prefix=topic_prefix,
            partitions=2,
            request_timeout_seconds=5,
            security={"protocol": protocol} | security,
        )

    return build


@pytest.fixture
def frozen_kafka(kafka):
    kafka.pause()
    yield kafka
    kafka.resume()
    kafka.wait_until_ready()


def login(**changes):
    return {"username": "alice", "password": "alice-secret", "mechanism": "PLAIN"} | changes


async def trouble_with(settings, topics=()):
    with pytest.raises(KafkaTroubleError) as met:
        await probe(settings, topics)
    return met.value


async def round_trip(settings):
    """Create the topics and send one record through; return what arrives."""
    report = await apply_topics(settings)
    assert report.as_wanted
    topic = topic_names(settings).rejects
    async with AIOKafkaProducer(**connection_arguments(settings)) as producer:
        await producer.send_and_wait(topic, b"seen")
    async with AIOKafkaConsumer(
        topic, auto_offset_reset="earliest", **connection_arguments(settings)
    ) as consumer:
        return (await asyncio.wait_for(consumer.getone(), 10)).value


async def test_records_pass_over_tls(settings_for):
    # On this listener the client is anonymous, who may do everything.
    assert await round_trip(settings_for("SSL")) == b"seen"


async def test_records_pass_with_plain_over_tls(settings_for):
    assert await round_trip(settings_for("SASL_SSL", **login())) == b"seen"


async def test_records_pass_with_scram_over_tls(settings_for):
    settings = settings_for("SASL_SSL", **login(mechanism="SCRAM-SHA-512"))

    assert await round_trip(settings) == b"seen"


async def test_records_pass_with_scram_without_tls(settings_for):
    settings = settings_for("SASL_PLAINTEXT", **login(mechanism="SCRAM-SHA-512"))

    assert await round_trip(settings) == b"seen"


async def test_records_pass_with_a_client_certificate(settings_for, client_certificate):
    settings = settings_for(
        "MTLS", cert_file=client_certificate.cert_file, key_file=client_certificate.key_file
    )

    assert await round_trip(settings) == b"seen"


async def test_the_password_file_is_read_at_each_login(settings_for, tmp_path):
    password_file = tmp_path / "password"
    password_file.write_text("old\n")
    settings = settings_for(
        "SASL_SSL", **login(password=None, password_file=password_file, mechanism="SCRAM-SHA-512")
    )
    assert (await trouble_with(settings)).kind is TroubleKind.AUTHENTICATION_FAILED

    password_file.write_text("alice-secret\n")

    assert (await probe(settings)).brokers


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_told_without_showing_it(settings_for, mechanism):
    settings = settings_for("SASL_SSL", **login(mechanism=mechanism, password="wrong-secret"))

    trouble = await trouble_with(settings)

    assert trouble.kind is TroubleKind.AUTHENTICATION_FAILED
    assert f"refuses the login of user alice by {mechanism}" in trouble.reason
    assert "kafka.security.username" in trouble.remedy
    assert "wrong-secret" not in str(trouble)


async def test_a_mechanism_that_the_listener_lacks_is_told(settings_for):
    trouble = await trouble_with(settings_for("SASL_SSL", **login(mechanism="SCRAM-SHA-256")))

    assert trouble.kind is TroubleKind.WRONG_PROTOCOL
    assert "no login by SCRAM-SHA-256" in trouble.reason


async def test_a_wrong_authority_is_told(settings_for, other_authority):
    trouble = await trouble_with(settings_for("SSL", ca_file=other_authority.ca_file))

    assert trouble.kind is TroubleKind.CERTIFICATE_NOT_TRUSTED
    assert "is not trusted" in trouble.reason
    assert str(other_authority.ca_file) in trouble.remedy


async def test_a_certificate_for_another_name_is_told(settings_for, kafka):
    address = kafka.address("SSL").replace("localhost", "127.0.0.1")

    trouble = await trouble_with(settings_for("SSL", address))

    assert trouble.kind is TroubleKind.HOSTNAME_MISMATCH
    assert f"the broker at {address} is for another name" in trouble.reason


async def test_without_hostname_check_another_name_will_do(settings_for, kafka):
    address = kafka.address("SSL").replace("localhost", "127.0.0.1")

    assert (await probe(settings_for("SSL", address, check_hostname=False))).brokers


async def test_a_missing_client_certificate_is_told(settings_for):
    trouble = await trouble_with(settings_for("MTLS"))

    assert trouble.kind is TroubleKind.CLIENT_CERTIFICATE_REFUSED
    assert "asks for a client's certificate" in trouble.reason


async def test_an_expired_client_certificate_is_told(settings_for, expired_certificate):
    settings = settings_for(
        "MTLS", cert_file=expired_certificate.cert_file, key_file=expired_certificate.key_file
    )

    trouble = await trouble_with(settings)

    assert trouble.kind is TroubleKind.CLIENT_CERTIFICATE_REFUSED
    assert str(expired_certificate.cert_file) in trouble.remedy


async def test_no_right_to_a_topic_is_told_with_user_and_topic(settings_for):
    settings = settings_for("SASL_SSL", **login(username="bob", password="bob-secret"))
    flows = topic_names(settings).flows

    trouble = await trouble_with(settings, [flows])

    assert trouble.kind is TroubleKind.NOT_AUTHORIZED
    assert trouble.reason == f"Kafka does not allow user bob to use this topic: {flows}"
    assert "ACLs" in trouble.remedy


async def test_tls_towards_a_plain_listener_is_told(settings_for, kafka):
    trouble = await trouble_with(settings_for("SSL", kafka.bootstrap))

    assert "closed the connection" in trouble.reason
    assert "kafka.security.protocol" in trouble.remedy


async def test_a_login_at_a_listener_without_one_is_told(settings_for, kafka):
    trouble = await trouble_with(settings_for("SASL_PLAINTEXT", kafka.bootstrap, **login()))

    assert trouble.kind is TroubleKind.WRONG_PROTOCOL
    assert "kafka.security.protocol to PLAINTEXT" in trouble.remedy


async def test_waiting_ends_with_the_topics(kafka_settings):
    names = topic_names(kafka_settings)
    waiting = asyncio.create_task(wait_for_kafka(kafka_settings, names.all()))
    await asyncio.sleep(0.3)
    assert not waiting.done()

    await apply_topics(kafka_settings)

    cluster = await asyncio.wait_for(waiting, 20)
    assert set(cluster.topics) == set(names.all())


async def test_a_frozen_broker_is_given_up_on_in_time(frozen_kafka):
    settings = KafkaSettings(bootstrap_servers=frozen_kafka.bootstrap, request_timeout_seconds=1)
    begin = time.monotonic()

    with pytest.raises(KafkaTroubleError, match=r"no answer from .* within 1 s"):
        await wait_for_kafka(settings, give_up_after_seconds=2)

    assert time.monotonic() - begin < 8


async def test_a_broker_that_goes_on_again_is_waited_for(frozen_kafka):
    settings = KafkaSettings(bootstrap_servers=frozen_kafka.bootstrap, request_timeout_seconds=1)
    waiting = asyncio.create_task(wait_for_kafka(settings))
    await asyncio.sleep(0.5)
    assert not waiting.done()

    frozen_kafka.resume()

    assert (await asyncio.wait_for(waiting, 20)).brokers
