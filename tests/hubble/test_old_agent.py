"""An agent of Cilium 1.15: it knows no field mask, and tells every lost flow by itself."""

from __future__ import annotations

import pytest
from tests.hubble.flows import flow_now
from tests.hubble.listening import Listening
from tests.hubble.programs import Agent


@pytest.fixture
def start_old_agent(old_server, running, tmp_path):
    def start(**options):
        return running(Agent(old_server, f"unix://{tmp_path}/old.sock", **options))

    return start


@pytest.mark.parametrize("mask", ["on", "off"])
def test_every_flow_of_an_old_agent_arrives_once(start_old_agent, mask):
    agent = start_old_agent()
    with Listening(agent.address, field_mask=mask) as listening:
        listening.wait_until(lambda: listening.stream.counts.connected, 10)
        uuids = [f"old-{number}" for number in range(600)]
        for begin in range(0, 600, 50):
            agent.feed(map(flow_now, uuids[begin : begin + 50]))
        listening.wait_until(lambda: len(listening.flows) >= 599, 20)
    assert listening.uuids == uuids[: len(listening.uuids)]
    assert listening.stream.counts.reconnects.keys() <= {"empty-ring"}


def test_flows_that_an_old_agents_ring_lost_are_told(start_old_agent):
    agent = start_old_agent(ring=127)
    with Listening(agent.address, buffer_flows=100) as listening:
        listening.wait_until(lambda: listening.stream.counts.connected, 10)
        agent.feed(flow_now(f"first-{number}") for number in range(3))
        listening.wait_until(lambda: "first-0" in listening.uuids, 20)
        listening.goes_on.clear()
        fed = [f"lost-{number}" for number in range(3_000)]
        # More bytes than connection and buffers hold, while nobody reads.
        large = b'{"flow": {"Summary":"%b", ' % (b"x" * 20_000)
        agent.feed(flow_now(one).replace(b'{"flow": {', large, 1) for one in fed)
        listening.goes_on.set()
        listening.wait_until(lambda: bool(listening.losses), 30)
        agent.feed(flow_now(f"last-{number}") for number in range(3))
        listening.wait_until(lambda: "last-0" in listening.uuids, 30)
    came = len([uuid for uuid in listening.uuids if uuid.startswith("lost-")])
    lost = listening.lost()["HUBBLE_RING_BUFFER"]
    assert lost > 100
    assert came + lost == pytest.approx(len(fed), abs=5)
    # One line for a gap, not one for each flow.
    assert len(listening.losses) < lost / 10
