import pytest

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import load_settings


@pytest.fixture
def kafka(settings_file):
    def load(text):
        indented = "".join(f"  {line}\n" for line in text.splitlines())
        return load_settings(settings_file(f"kafka:\n{indented}")).kafka

    return load


def test_the_defaults_are_a_broker_on_this_machine_and_the_contracts_topics():
    kafka = load_settings().kafka

    assert kafka.servers == ["localhost:9092"]
    assert kafka.topic_prefix == "hubble."
    assert kafka.partitions == 12
    assert kafka.security.protocol == "PLAINTEXT"
    assert kafka.security.check_hostname


def test_servers_may_be_a_list_or_kafkas_own_form(kafka):
    expected = ["a.example:9092", "[::1]:9093"]

    assert kafka('bootstrap_servers: ["a.example:9092", "[::1]:9093"]').servers == expected
    assert kafka('bootstrap_servers: "a.example:9092, [::1]:9093"').servers == expected


def test_variables_set_servers_and_login(monkeypatch):
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2")
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__SECURITY__PROTOCOL", "sasl_ssl")
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__SECURITY__USERNAME", "alice")
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__SECURITY__PASSWORD", "secret")

    kafka = load_settings().kafka

    assert kafka.servers == ["a:1", "b:2"]
    assert kafka.security.protocol == "SASL_SSL"
    assert kafka.security.mechanism == "SCRAM-SHA-512"
    assert "secret" not in repr(kafka)


@pytest.mark.parametrize("address", ["kafka://a:9092", "a", "a:0", "a:70000", "a:9092,", "a b:1"])
def test_what_is_no_address_is_refused(kafka, address):
    with pytest.raises(ConfigurationError, match="is not host:port"):
        kafka(f'bootstrap_servers: "{address}"')


def test_a_login_in_a_refused_address_is_not_told(kafka):
    with pytest.raises(ConfigurationError) as met:
        kafka('bootstrap_servers: "a:9092,me:hunter2@b:9092"')
    assert "***@b:9092" in str(met.value)
    assert "hunter2" not in str(met.value)


@pytest.mark.parametrize(
    ("security", "told"),
    [
        ("protocol: SASL_SSL", "needs a username"),
        ("protocol: SASL_SSL\n  username: a", "needs either password or password_file"),
        (
            "protocol: SASL_SSL\n  username: a\n  password: b\n  password_file: c",
            "needs either password or password_file",
        ),
        ("username: a", "username needs protocol SASL_SSL or SASL_PLAINTEXT, not PLAINTEXT"),
        ("protocol: SSL\n  username: a", "username needs protocol"),
        ("ca_file: ca.pem", "ca_file needs protocol SSL or SASL_SSL, not PLAINTEXT"),
        ("protocol: SSL\n  key_file: k.pem", "key_file needs cert_file"),
        ("protocol: TLS", "must be 'PLAINTEXT', 'SSL'"),
        ("protocol: SSL\n  mechanism: GSSAPI", "must be 'PLAIN', 'SCRAM-SHA-256'"),
    ],
)
def test_fields_that_do_not_fit_the_protocol_are_refused(kafka, security, told):
    with pytest.raises(ConfigurationError) as stopped:
        kafka(f"security:\n  {security}")

    assert told in str(stopped.value)
    assert "kafka.security" in str(stopped.value)


def test_a_refused_login_does_not_show_the_password(kafka):
    with pytest.raises(ConfigurationError) as stopped:
        kafka("security:\n  protocol: SASL_SSL\n  password: geheim")

    assert "geheim" not in str(stopped.value)
