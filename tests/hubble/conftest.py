from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from deploy.local.kafka.certificates import Authority
from tests.builders import VERDICT, flow_dict, pod
from tests.hubble.programs import BUILD_SECONDS, Agent, NoGoError, Relay, built, free_address

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.hubble)
            # The first test of all waits for Go to build the programs.
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS + 120))


def _program(name):
    try:
        return built(name)
    except NoGoError as reason:
        if os.environ.get("HUBBLEWATCH_REQUIRE_HUBBLE") == "1":
            pytest.fail(f"Hubble is required here: {reason}", pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def server():
    """The program that is an agent or Relay of Cilium 1.20."""
    return _program("server")


@pytest.fixture(scope="session")
def old_server():
    """The program that is an agent of Cilium 1.15."""
    return _program("oldserver")


@pytest.fixture
def running():
    """Ends what a test started: ``running(program)`` gives the program back."""
    with ExitStack() as stack:

        def enter(program):
            stack.callback(program.kill)
            return program

        yield enter


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """A file of flows of several kinds, for agents that make their own."""
    kinds = [
        flow_dict(flags="SYN", point="TO_STACK", is_reply=False),
        flow_dict(kind=VERDICT, verdict="DROPPED", drop_reason=133, is_reply=False),
        flow_dict(protocol="UDP", ports=(40_000, 53), source=pod("shop/api-0")),
        flow_dict(protocol="ICMPv4", ports=(8, 0)),
    ]
    path = tmp_path_factory.mktemp("templates") / "flows.jsonl"
    path.write_text("".join(json.dumps({"flow": kind}) + "\n" for kind in kinds))
    return path


@pytest.fixture
def start_agent(server, running, tmp_path, templates):
    """Starts an agent of 1.20: on a socket of its node's name, or on TCP."""

    def start(node="worker-1", *, tcp=False, address=None, rate=0.0, **options):
        address = address or (free_address() if tcp else f"unix://{tmp_path}/{node}.sock")
        if rate:
            options |= {"templates": templates, "rate": rate}
        return running(Agent(server, address, node, **options))

    return start


@pytest.fixture
def start_relay(server, running, tmp_path):
    """Starts Relay of 1.20 before some agents."""

    def start(*agents, tls_dir=None):
        relay = running(Relay(server, tmp_path, tls_dir))
        relay.add(*agents)
        return relay

    return start


@pytest.fixture
def tls_dir(tmp_path):
    """Certificates for agents and Relay, and one for their clients, all by one authority."""
    folder = tmp_path / "tls"
    authority = Authority(folder, "ca")
    names = ["*.default.hubble-grpc.cilium.io", "*.hubble-relay.cilium.io"]
    for name, hosts in (("server", names), ("client", [])):
        authority.issue(name, hosts)
    authority.ca_file.rename(folder / "ca.crt")
    return folder
