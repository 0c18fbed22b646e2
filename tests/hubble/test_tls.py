"""Mutual TLS, as Cilium's servers ask for it."""

from __future__ import annotations

from deploy.local.kafka.certificates import Authority
from tests.hubble.listening import Listening

RELAY_NAME = "ui.hubble-relay.cilium.io"
AGENT_NAME = "worker-1.default.hubble-grpc.cilium.io"


def tls(folder, name, **others):
    return {
        "enabled": True,
        "ca_file": folder / "ca.crt",
        "cert_file": folder / "client.crt",
        "key_file": folder / "client.key",
        "server_name": name,
    } | others


def test_relay_and_its_agents_are_read_over_mutual_tls(start_agent, start_relay, tls_dir):
    agents = [start_agent(node, tcp=True, rate=50, tls_dir=tls_dir) for node in ("a-1", "a-2")]
    relay = start_relay(*agents, tls_dir=tls_dir)
    with Listening(relay.address, tls=tls(tls_dir, RELAY_NAME)) as listening:
        listening.wait_until(lambda: listening.numbers("a-1")[20:], 30)
        listening.wait_until(lambda: listening.numbers("a-2")[20:], 30)


def test_an_agent_without_our_certificate_is_said_to_want_one(start_agent, tls_dir, caplog):
    agent = start_agent(tcp=True, rate=50, tls_dir=tls_dir)
    settings = tls(tls_dir, AGENT_NAME, cert_file=None, key_file=None)
    with Listening(agent.address, tls=settings) as listening:
        listening.wait_until(lambda: listening.stream.counts.reconnects["unreachable"] > 1, 20)
    assert not listening.flows
    assert "does not want a client's certificate (hubble.tls.cert_file" in caplog.text


def test_a_name_that_is_not_in_the_certificate_is_refused(start_agent, tls_dir):
    agent = start_agent(tcp=True, rate=50, tls_dir=tls_dir)
    with Listening(agent.address, tls=tls(tls_dir, "hubble.example.org")) as listening:
        listening.wait_until(lambda: listening.stream.counts.reconnects["unreachable"] > 1, 20)
    assert not listening.flows


def test_certificates_that_were_rotated_meanwhile_are_used_after_a_break(start_agent, tls_dir):
    agent = start_agent(tcp=True, rate=50, tls_dir=tls_dir)
    with Listening(agent.address, tls=tls(tls_dir, AGENT_NAME)) as listening:
        listening.wait_until(lambda: len(listening.flows) > 20, 20)
        agent.kill()
        authority = Authority(tls_dir, "new")
        authority.issue("server", ["*.default.hubble-grpc.cilium.io"])
        authority.issue("client")
        authority.ca_file.replace(tls_dir / "ca.crt")
        before = len(listening.flows)
        start_agent(address=agent.address, node=agent.node, rate=50, tls_dir=tls_dir)
        listening.wait_until(lambda: len(listening.flows) > before + 20, 20)
