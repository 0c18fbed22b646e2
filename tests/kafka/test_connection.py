import ssl

import pytest
from deploy.local.kafka import Authority

from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka.connection import (
    broker_credentials,
    broker_urls,
    connection_arguments,
    tls_context,
)
from hubblewatch.settings import KafkaSecuritySettings, KafkaSettings


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def security(**fields):
    return KafkaSecuritySettings(**fields)


def test_without_security_nothing_but_the_address_is_given():
    arguments = connection_arguments(
        KafkaSettings(bootstrap_servers="a:1,b:2", request_timeout_seconds=2.5)
    )

    assert arguments["bootstrap_servers"] == ["a:1", "b:2"]
    assert arguments["request_timeout_ms"] == 2500
    assert arguments["security_protocol"] == "PLAINTEXT"
    assert arguments["ssl_context"] is None
    assert "sasl_mechanism" not in arguments


def test_tls_verifies_the_brokers_and_refuses_old_versions(authority):
    context = tls_context(security(protocol="SSL", ca_file=authority.ca_file))

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1


def test_a_switched_off_hostname_check_still_verifies_the_certificate(authority):
    context = tls_context(security(protocol="SSL", ca_file=authority.ca_file, check_hostname=False))

    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_certificates_are_read_anew_each_time(authority, tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.ca_file.read_bytes())
    settings = security(protocol="SSL", ca_file=ca_file)
    before = tls_context(settings).get_ca_certs()

    ca_file.write_bytes(Authority(tmp_path / "new", "new-ca").ca_file.read_bytes())

    assert tls_context(settings).get_ca_certs() != before


def test_a_login_is_given_to_aiokafka_and_to_faust_alike(authority):
    settings = KafkaSettings(
        security={
            "protocol": "sasl_ssl",
            "ca_file": authority.ca_file,
            "mechanism": "scram-sha-512",
            "username": "alice",
            "password": "secret",
        }
    )

    arguments = connection_arguments(settings)
    credentials = broker_credentials(settings)

    assert arguments["sasl_mechanism"] == credentials.mechanism == "SCRAM-SHA-512"
    assert arguments["sasl_plain_username"] == credentials.username == "alice"
    assert arguments["sasl_plain_password"] == credentials.password == "secret"
    assert credentials.ssl_context is not None
    assert "secret" not in repr(credentials)


def test_faust_gets_no_credentials_for_plaintext_and_only_a_context_for_tls(authority):
    tls = KafkaSettings(security={"protocol": "SSL", "ca_file": authority.ca_file})

    assert broker_credentials(KafkaSettings()) is None
    assert broker_credentials(tls).username is None
    assert broker_credentials(tls).ssl_context is not None
    assert broker_urls(KafkaSettings(bootstrap_servers="a:1,b:2")) == [
        "aiokafka://a:1",
        "aiokafka://b:2",
    ]


def test_a_password_file_may_end_in_a_line_end(tmp_path):
    file = tmp_path / "password"
    file.write_text("two words \n")
    settings = KafkaSettings(
        security={"protocol": "SASL_PLAINTEXT", "username": "alice", "password_file": file}
    )

    assert connection_arguments(settings)["sasl_plain_password"] == "two words "


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"\n", "it is empty"),
        (b"\xff", "not UTF-8"),
        (b"x" * 5000, "larger"),
    ],
)
def test_an_unusable_password_file_is_named(tmp_path, content, reason):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    settings = KafkaSettings(
        security={"protocol": "SASL_PLAINTEXT", "username": "alice", "password_file": file}
    )

    with pytest.raises(ConfigurationError, match=reason) as stopped:
        connection_arguments(settings)

    assert f"cannot use {file}, which is kafka.security.password_file" in str(stopped.value)


def test_a_missing_ca_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"kafka\.security\.ca_file: No such file"):
        tls_context(security(protocol="SSL", ca_file=tmp_path / "none.pem"))


def test_a_ca_file_without_certificates_is_named(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("nothing\n")

    with pytest.raises(ConfigurationError, match=r"kafka\.security\.ca_file: no certificate"):
        tls_context(security(protocol="SSL", ca_file=file))


def test_a_key_of_another_certificate_is_named(authority):
    one, other = authority.issue("one"), authority.issue("other")
    settings = security(
        protocol="SSL",
        ca_file=authority.ca_file,
        cert_file=one.cert_file,
        key_file=other.key_file,
    )

    with pytest.raises(ConfigurationError, match="key values mismatch"):
        tls_context(settings)


def test_an_encrypted_key_is_refused_instead_of_asking_at_the_terminal(authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    certificate = authority.issue("one")
    key = serialization.load_pem_private_key(certificate.key_file.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    settings = security(
        protocol="SSL",
        ca_file=authority.ca_file,
        cert_file=certificate.cert_file,
        key_file=encrypted,
    )

    with pytest.raises(ConfigurationError, match="the key is encrypted"):
        tls_context(settings)
