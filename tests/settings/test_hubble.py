from __future__ import annotations

import pytest
from pydantic import ValidationError

from hubblewatch.settings import HubbleSettings


@pytest.mark.parametrize(
    "address",
    ["hubble-relay:80", "10.0.0.1:4244", "[::1]:4245", "unix:///var/run/cilium/hubble.sock"],
)
def test_relays_agents_and_sockets_are_addresses(address):
    assert HubbleSettings(address=address).address == address


@pytest.mark.parametrize(
    "address", ["hubble-relay", "tls://relay:443", "relay:0", "relay:70000", "unix://hubble.sock"]
)
def test_other_addresses_are_refused(address):
    with pytest.raises(ValidationError, match=r"host:port|absolute path"):
        HubbleSettings(address=address)


@pytest.mark.parametrize(
    ("tls", "why"),
    [
        ({"ca_file": "ca.crt"}, "ca_file needs enabled"),
        ({"server_name": "ui.hubble-relay.cilium.io"}, "server_name needs enabled"),
        ({"enabled": True, "cert_file": "a.crt"}, "need each other"),
        ({"enabled": True, "key_file": "a.key"}, "need each other"),
    ],
)
def test_tls_settings_must_fit(tls, why):
    with pytest.raises(ValidationError, match=why):
        HubbleSettings(tls=tls)


@pytest.mark.parametrize(
    "login",
    [
        {"username": "u"},
        {"password": "p"},
        {"username": "u", "password": "p", "password_file": "/p"},
    ],
)
def test_a_login_is_a_name_and_one_password(login):
    with pytest.raises(ValidationError, match="password"):
        HubbleSettings(**login)


def test_verdicts_are_taken_in_any_case_and_unknown_ones_refused():
    assert HubbleSettings(only={"verdicts": ["dropped"]}).only.verdicts == ("DROPPED",)
    with pytest.raises(ValidationError, match="FORWARDED"):
        HubbleSettings(only={"verdicts": ["denied"]})


def test_checks_come_often_enough_for_hubbles_keepalive_rules():
    with pytest.raises(ValidationError):
        HubbleSettings(check_seconds=300)
