"""A short form of ``make crash``."""

from __future__ import annotations

import pytest
from tests.broker.crash import Plan, crash_run
from tests.broker.detecting import exported

from hubblewatch.simulate import simulate


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_kills_and_a_zombie_leave_nothing_missing_and_nothing_double(own_kafka, tmp_path):
    plan = Plan(lines=60_000, minutes=18, workloads=12, kills=6, broker_kills=0, seed=5)
    streams = exported((line.rstrip(b"\n") for line in simulate(plan.recording())), 25)
    verdict = await crash_run(plan, tmp_path / "workers", own_kafka, streams)
    print(verdict)
    assert verdict.is_clean, verdict.examples
    assert verdict.windows > 100
    assert verdict.alerts > 0
    assert verdict.events["zombie"] == 1
    assert sum(n for event, n in verdict.events.items() if event.startswith("killed")) >= 5
