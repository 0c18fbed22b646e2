"""A short form of ``make faults``."""

from __future__ import annotations

import pytest
from tests.broker.faults import Plan, faults_run


@pytest.mark.slow
@pytest.mark.hubble
@pytest.mark.timeout(400)
async def test_no_fault_of_hubble_or_kafka_costs_a_flow_or_tells_a_wrong_loss(own_kafka, tmp_path):
    plan = Plan(
        flows=20_000, faults=9, kafka_restarts=1, flows_a_second=1_500, idle_seconds=1.0, seed=3
    )
    verdict = await faults_run(plan, tmp_path, own_kafka)
    print(verdict)
    assert verdict.is_clean, verdict
    assert verdict.faults.total() == 9
    assert verdict.kafka_restarts == 1
    assert verdict.streams > 5
