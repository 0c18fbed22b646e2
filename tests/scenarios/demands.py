"""What is asserted of a scenario."""

from __future__ import annotations

from tests.scenarios.cases import Attack
from tests.scenarios.judge import judge, told

from hubblewatch.simulate import Size


def assert_quiet(
    scenario: str, seed: int, minutes: float, size: Size, rate: float | None = None
) -> None:
    paged = judge(scenario, seed, minutes, size, rate).paged()
    assert not paged, told(paged)


def assert_found(
    attack: Attack, seed: int, minutes: float, size: Size, rate: float | None = None
) -> None:
    verdict = judge(attack.scenario, seed, minutes, size, rate)
    windows = verdict.windows_until(*attack.detectors)
    assert windows is not None, told(verdict.alerts)
    assert 1 <= windows <= attack.windows, told(verdict.alerts)


def assert_not_told(
    detector: str, scenario: str, seed: int, minutes: float, size: Size, rate: float | None = None
) -> None:
    alerts = judge(scenario, seed, minutes, size, rate).alerts
    of_it = [alert for alert in alerts if alert.detector == detector]
    assert not of_it, told(of_it)
