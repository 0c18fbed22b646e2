"""The checks of Hubble and the look at a namespace, against Cilium's own agent and Relay."""

from __future__ import annotations

import time

import pytest
from tests.hubble.test_tls import AGENT_NAME, tls

from hubblewatch.doctor.hubble import HubbleTools, check_hubble
from hubblewatch.doctor.namespace import last_flows
from hubblewatch.settings import HubbleSettings, Settings
from hubblewatch.source.hubble.survey import HubbleSurvey
from hubblewatch.source.hubble.trouble import HubbleTroubleError


def settings_of(address, **security):
    return Settings(hubble=HubbleSettings(address=address, tls=security))


def checked(address, **security):
    results = check_hubble(settings_of(address, **security), HubbleTools())
    return {result.id: result for result in results}


def not_well(found):
    return {name for name, result in found.items() if result.status not in ("pass", "skip")}


def connected_nodes(address):
    """Give Relay's number of connected nodes, None while it starts."""
    try:
        with HubbleSurvey(settings_of(address).hubble) as survey:
            return survey.status().connected
    except HubbleTroubleError:
        return None


def wait_for_nodes(address, count):
    until = time.monotonic() + 30
    while connected_nodes(address) != count:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_an_agent_at_work_is_well_but_for_the_dns_it_does_not_show(start_agent):
    agent = start_agent(rate=100)
    time.sleep(1.5)

    found = checked(agent.address)

    assert not_well(found) == {"hubble.l7"}
    assert "an agent" in found["hubble.nodes"].detail
    share = float(found["hubble.policy-verdicts"].detail.partition("%")[0].split()[-1])
    assert share == pytest.approx(25, abs=3)


def test_a_short_ring_warns_with_its_seconds(start_agent):
    agent = start_agent(rate=100, ring=1_023)
    time.sleep(0.5)

    ring = checked(agent.address)["hubble.ring"]

    assert ring.status == "warn"
    seconds = int(ring.detail.partition("holds ")[2].partition(" s")[0])
    assert seconds == pytest.approx(10, abs=2)


def test_relay_shows_its_nodes_and_their_newest_flows(start_agent, start_relay):
    agents = [start_agent(f"worker-{number}", tcp=True, rate=300) for number in (1, 2, 3)]
    relay = start_relay(*agents)
    wait_for_nodes(relay.address, 3)
    time.sleep(12)

    found = checked(relay.address)

    assert not_well(found) == {"hubble.l7", "hubble.ring"}
    assert "3 nodes connected, none unavailable" in found["hubble.nodes"].detail
    age = float(found["hubble.clock"].detail.partition("is ")[2].partition(" s")[0])
    assert age < 3


def test_a_node_that_is_gone_is_told_by_its_name(start_agent, start_relay):
    agents = [start_agent(f"worker-{number}", tcp=True, rate=20) for number in (1, 2)]
    relay = start_relay(*agents)
    wait_for_nodes(relay.address, 2)
    agents[1].kill()
    wait_for_nodes(relay.address, 1)

    nodes = checked(relay.address)["hubble.nodes"]

    assert nodes.status == "warn"
    assert "1 unavailable" in nodes.detail
    assert "worker-2" in nodes.detail


def test_a_namespaces_flows_are_its_own(start_agent):
    agent = start_agent(rate=100)
    time.sleep(1.5)
    settings = settings_of(agent.address)

    shop = last_flows("shop", settings, HubbleTools())

    assert shop.flows > 50
    assert [edge.edge for edge in shop.denials] == ["shop/cart -> shop/db:8080/TCP"]
    assert last_flows("elsewhere", settings, HubbleTools()).flows == 0


def test_mutual_tls_tells_the_name_that_fits(start_agent, tls_dir):
    agent = start_agent(tcp=True, rate=50, tls_dir=tls_dir)

    found = checked(agent.address, **tls(tls_dir, AGENT_NAME))

    assert found["hubble.connection"].status == "pass"
    assert f"fits {AGENT_NAME}" in found["hubble.tls"].detail
