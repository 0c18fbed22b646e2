"""Which alerts are right, and how soon."""

from __future__ import annotations

from collections.abc import Iterable

from tests import closings
from tests.replay.alerting import alert, resolved

from hubblewatch.alert.record import Transition
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.finding import Finding, Severity
from hubblewatch.evaluate.systems import RAW_FOREST
from hubblewatch.evaluate.trial import Case, Trial, Verdict, _begins_to_page
from hubblewatch.settings import Settings
from hubblewatch.simulate import Label, ScenarioSpec, SimulationConfig, Truth
from hubblewatch.train.gather import simulated_batches
from hubblewatch.window.closed import Subject
from hubblewatch.window.closing import Closing

CASE = Case("udp-flood", "attack", 1.0, 1)


class Always:
    """Finds what it was told to, in given windows after the stream's begin."""

    name = "always"

    def __init__(self, subject: Subject, windows: Iterable[int]) -> None:
        self._subject = subject
        self._windows = set(windows)

    def inspect(self, closing: Closing, memory: Memory) -> list[Finding]:
        """The finding, in its windows."""
        if closing.age not in self._windows:
            return []
        return [closings.finding("always", subject=self._subject)]


def verdict(subject: tuple[str, str, str] | None, windows: Iterable[int]) -> Verdict:
    """Let one finder watch a recording whose attack begins in the eleventh window."""
    from hubblewatch.evaluate import systems

    truth = Truth(on_window=lambda _: None)
    config = SimulationConfig(
        seed=3, minutes=20, rate=1.0, scenarios=(ScenarioSpec("udp-flood", 10.0, 4.0),)
    )
    batches = list(simulated_batches(config, truth))
    label: Label = truth.labels[0]
    whom = Subject(*(subject or label.subjects[0]))

    def detectors() -> list[Detector]:
        return [Always(whom, windows)]

    trial = Trial(Settings(), [systems.System(name, detectors, {}) for name in systems.SYSTEMS
                               if name != RAW_FOREST])  # fmt: skip
    for batch in batches:
        trial.take(batch)
    trial.finish()
    return trial.verdicts(CASE, truth.labels)[0]


def test_an_alert_in_the_attack_s_first_window_is_found_after_one() -> None:
    found = verdict(None, [10])
    assert (found.windows_to_detect, found.right, found.wrong) == (1, 1, 0)


def test_an_alert_for_another_subject_is_wrong() -> None:
    found = verdict(("shop", "nobody", "outbound"), [11])
    assert (found.windows_to_detect, found.right, found.wrong) == (0, 0, 1)
    assert found.wrong_by == {"always": 1}


def test_an_alert_before_the_attack_is_wrong() -> None:
    found = verdict(None, [3])
    assert (found.right, found.wrong) == (0, 1)


def test_an_incident_that_was_open_before_is_not_found_by_going_on() -> None:
    found = verdict(None, range(3, 18))
    assert (found.windows_to_detect, found.right, found.wrong) == (0, 0, 1)


def test_one_that_opens_again_counts_again() -> None:
    found = verdict(None, [2, 12])
    assert (found.windows_to_detect, found.right, found.wrong) == (3, 1, 1)


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
