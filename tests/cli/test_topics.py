import socket

import pytest

from hubblewatch.cli import main


@pytest.fixture
def nobody(monkeypatch):
    """The address of a port where nothing listens, which the settings name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS", address)
    return address


def test_without_kafka_one_line_says_what_to_check(nobody, capsys):
    assert main(["topics"]) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"hubblewatch: nothing listens at {nobody}; "
        "check that the broker runs, and kafka.bootstrap_servers\n"
    )


def test_a_missing_certificate_is_wrong_configuration(nobody, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__SECURITY__PROTOCOL", "SSL")
    monkeypatch.setenv("HUBBLEWATCH_KAFKA__SECURITY__CA_FILE", str(tmp_path / "none.pem"))

    assert main(["topics"]) == 2
    assert "kafka.security.ca_file: No such file" in capsys.readouterr().err
