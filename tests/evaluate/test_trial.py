"""Which alerts are right, and how soon."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pytest
from tests import closings
from tests.closings import CART
from tests.replay.alerting import alert, resolved

from hubblewatch.alert.record import Transition
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.finding import Finding, Severity
from hubblewatch.evaluate.figures import figures, totals
from hubblewatch.evaluate.systems import FULL, System
from hubblewatch.evaluate.trial import Case, Opened, Trial, Verdict, _begins_to_page, _fit
from hubblewatch.flow.schema import Line
from hubblewatch.settings import Settings
from hubblewatch.simulate import Label, ScenarioSpec, SimulationConfig, Truth
from hubblewatch.train.gather import simulated_batches
from hubblewatch.window.closed import Subject
from hubblewatch.window.closing import Closing

CASE = Case("udp-flood", "attack", 1.0, 1)


class Always:
    """Finds what it was told to, in given windows after the stream's begin."""

    def __init__(self, subject: Subject, windows: Iterable[int], name: str) -> None:
        self.name = name
        self._subject = subject
        self._windows = set(windows)

    def inspect(self, closing: Closing, memory: Memory) -> list[Finding]:
        """The finding, in its windows."""
        if closing.age not in self._windows:
            return []
        return [closings.finding(self.name, subject=self._subject)]


FLOOD = ScenarioSpec("udp-flood", 10.0, 4.0)


@cache
def recorded(scenarios: tuple[ScenarioSpec, ...]) -> tuple[list[list[Line]], list[Label]]:
    """Give twenty minutes of a cluster, and their labels."""
    truth = Truth(on_window=lambda _: None)
    config = SimulationConfig(seed=3, minutes=20, rate=1.0, scenarios=scenarios)
    return list(simulated_batches(config, truth)), truth.labels


def verdict(
    subject: tuple[str, str, str] | None,
    windows: Iterable[int],
    scenarios: tuple[ScenarioSpec, ...] = (FLOOD,),
    detector: str = "always",
) -> Verdict:
    """Let one finder watch a recording whose attack begins in the eleventh window."""
    batches, labels = recorded(scenarios)
    whom = Subject(*(subject or labels[0].subjects[0]))

    def detectors() -> list[Detector]:
        return [Always(whom, windows, detector)]

    trial = Trial(Settings(), [System(FULL, detectors, {})], with_raw=False)
    for batch in batches:
        trial.take(batch)
    trial.finish()
    return trial.verdicts(CASE, labels)[0]


def delays(found: Verdict) -> list[int]:
    return [attack.windows_to_detect for attack in found.attacks]


def test_an_alert_in_the_attack_s_first_window_is_found_after_one() -> None:
    found = verdict(None, [10])
    assert (delays(found), found.right, found.wrong) == ([1], 1, 0)


def test_an_alert_for_another_subject_is_wrong() -> None:
    found = verdict(("shop", "nobody", "outbound"), [11])
    assert (delays(found), found.right, found.wrong) == ([0], 0, 1)
    assert found.wrong_by == {"always": 1}


def test_an_alert_before_the_attack_is_wrong() -> None:
    found = verdict(None, [3])
    assert (found.right, found.wrong) == (0, 1)


def test_an_incident_that_was_open_before_is_not_found_by_going_on() -> None:
    found = verdict(None, range(3, 18))
    assert (delays(found), found.right, found.wrong) == ([0], 0, 1)


def test_one_that_opens_again_counts_again() -> None:
    found = verdict(None, [2, 12])
    assert (delays(found), found.right, found.wrong) == ([3], 1, 1)


def test_the_forest_on_raw_flows_is_judged_on_what_it_was_not_fitted_on() -> None:
    batches, labels = recorded((FLOOD,))
    trial = Trial(Settings(), [])
    for batch in batches:
        trial.take(batch)
    trial.finish()
    (raw,) = trial.verdicts(CASE, labels)
    assert raw.hours == pytest.approx(10 / 60)


def test_each_attack_of_a_recording_is_found_or_missed() -> None:
    found = verdict(None, [11], (FLOOD, ScenarioSpec("port-scan", 16.0, 3.0)))
    assert delays(found) == [2, 0]
    assert [(f.attack, f.found) for f in figures([found])] == [("udp-flood", 1), ("port-scan", 0)]
    assert totals([found])[0].recall == 0.5


def test_of_two_attacks_on_one_subject_an_alert_is_of_its_own() -> None:
    label = Label("udp-flood", "attack", 0, 0, 1.0, [tuple(CART)], ["udp-spike"], "")
    later = Label("port-scan", "attack", 60, 0, 1.0, [tuple(CART)], ["port-scan"], "")
    by = {name: Opened(0, CART, name) for name in ("udp-spike", "port-scan", "new-edge")}
    assert _fit(by["udp-spike"], label) > _fit(by["udp-spike"], later)
    assert _fit(by["port-scan"], label) < _fit(by["port-scan"], later)
    assert _fit(by["new-edge"], label) < _fit(by["new-edge"], later)


@pytest.mark.parametrize(("window", "wrong"), [(3, 1), (12, 0)])
def test_a_disturbance_excuses_its_detectors_while_it_lasts(window: int, wrong: int) -> None:
    service = ScenarioSpec("new-service", 10.0, 4.0)
    found = verdict(("shop", "nobody", "outbound"), [window], (service,), "new-edge")
    assert (found.attacks, found.wrong) == ([], wrong)


def test_an_incident_pages_from_its_first_warning_on() -> None:
    paging: set[str] = set()
    told = [
        alert("1", Severity.INFO),
        alert("1", Severity.WARNING, transition=Transition.WORSE),
        alert("1", Severity.CRITICAL, transition=Transition.WORSE),
        resolved("1"),
        alert("1", Severity.WARNING),
        alert("2", Severity.WARNING, shadow=True),
    ]
    assert [_begins_to_page(record, paging) for record in told] == [
        False, True, False, False, True, False,
    ]  # fmt: skip
