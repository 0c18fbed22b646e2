"""The forest as a detector: joint, persistent, explained, and the same after a restart."""

from __future__ import annotations

import msgspec
import pytest
from tests.closings import CART, Stream, attempts, seen
from tests.model.building import loaded

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.detectors.finding import Finding, Severity
from hubblewatch.detectors.isolation_forest import IsolationForest, IsolationForestSettings
from hubblewatch.model.loaded import FixedModel
from hubblewatch.window.closed import ClosedWindow

THRESHOLD = 0.5


def forest(*, shadow: bool = False, threshold: float = THRESHOLD) -> IsolationForest:
    """The detector with a small model."""
    return IsolationForest(IsolationForestSettings(), FixedModel(loaded(threshold, shadow=shadow)))


def settled(detector: IsolationForest | None = None) -> Stream:
    """A stream that knows the cart's usual minutes."""
    stream = Stream(detector or forest())
    for _ in range(40):
        usual(stream.window())
        assert stream.close() == []
    return stream


def usual(window: ClosedWindow) -> None:
    """What the cart does each minute."""
    attempts(window, 20)
    attempts(window, 10, to="shop/cache", port=6_379)


def gather(window: ClosedWindow, turn: int = 0) -> None:
    """Search and carry away, a bit of each: ports, failures, first contacts, the outside."""
    usual(window)
    for number in range(6):
        port = (22, 445, 2_049, 3_306, 5_432, 9_200)[number]
        outcome = Outcome.FAILED if number % 2 else Outcome.ALLOWED
        attempts(window, 1, to=f"shop/store-{turn}-{number}", port=port, outcome=outcome)
    attempts(window, 2, to="203.0.113.7", port=443)
    window.external.add("203.0.113.7")


def odd_minutes(stream: Stream, minutes: int, begin: int = 0) -> list[list[Finding]]:
    """Let odd minutes pass; give what each found."""
    found = []
    for turn in range(begin, begin + minutes):
        gather(stream.window(), turn)
        found.append(stream.close())
    return found


def test_the_third_odd_window_alerts() -> None:
    found = odd_minutes(settled(), 3)
    assert [len(findings) for findings in found] == [0, 0, 1]


def test_the_finding_says_what_drove_it_with_observed_and_usual_values() -> None:
    (finding,) = odd_minutes(settled(), 5)[4]
    assert finding.severity is Severity.WARNING
    assert finding.subject == CART
    assert finding.model == "small@0123456789ab"
    assert not finding.shadow
    reasons = {reason.feature: reason for reason in finding.reasons}
    assert {"ports", "new_edge_share"} <= set(reasons)
    assert 2.3 < reasons["ports"].observed < 9  # a mean of the last minutes, not a minute
    assert reasons["ports"].observed > reasons["ports"].usual_high
    weights = [reason.weight for reason in finding.reasons]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) <= 1.01
    assert "distinct peer ports" in finding.description
    assert any("store" in peer.workload or peer.workload == "203.0.113.7" for peer in finding.peers)


def test_odd_windows_need_not_follow_each_other() -> None:
    stream = settled()
    found = []
    for turn, is_odd in enumerate((True, False, True, False, True)):
        if is_odd:
            gather(stream.window(), turn)
        else:
            usual(stream.window())
        found.append(len(stream.close()))
    assert found[:2] == [0, 0]
    assert found[4] == 1


def test_one_odd_window_and_then_none_say_nothing() -> None:
    stream = settled()
    odd_minutes(stream, 1)
    for _ in range(6):
        usual(stream.window())
        assert stream.close() == []


def creep(stream: Stream, minutes: int) -> list[int]:
    """Let minutes pass with a little more of several things; give in which there was a finding."""
    found = []
    for minute in range(minutes):
        window = stream.window()
        usual(window)
        attempts(window, 1, outcome=Outcome.FAILED)
        attempts(window, 5, to="kube-system/dns", port=53, protocol="udp")
        attempts(window, 4, to="shop/cache", port=6_379)
        if stream.close():
            found.append(minute)
    return found


def test_what_no_single_window_shows_adds_up() -> None:
    found = creep(settled(forest(threshold=0.58)), 12)
    assert found
    assert found[0] >= 3


def test_the_contacts_that_grew_are_named_where_none_is_new() -> None:
    stream = settled()
    findings: list[Finding] = []
    for _ in range(20):
        window = stream.window()
        usual(window)
        attempts(window, 2, outcome=Outcome.FAILED)
        attempts(window, 6, to="kube-system/dns", port=53, protocol="udp")
        attempts(window, 12, to="shop/cache", port=6_379)
        findings = stream.close()
    (finding,) = findings
    assert "More than usual goes to" in finding.description
    assert [peer.workload for peer in finding.peers] == ["cache"]


@pytest.mark.parametrize(
    ("count", "port", "outcome"),
    [
        (800, 8_080, Outcome.ALLOWED),
        (60, 8_080, Outcome.FAILED),
        (60, 8_080, Outcome.DENIED),
    ],
)
def test_a_burst_of_one_kind_is_left_to_the_rules(count: int, port: int, outcome: Outcome) -> None:
    stream = settled()
    for _ in range(5):
        usual(stream.window())
        attempts(stream.window(), count, port=port, outcome=outcome)
        assert stream.close() == []


def test_an_incomplete_window_is_not_judged() -> None:
    stream = settled()
    for turn in range(5):
        gather(stream.window(), turn)
        assert stream.close(completeness=seen(0.5)) == []


def test_a_subject_without_a_past_is_not_judged() -> None:
    stream = Stream(forest(threshold=0.0))
    assert all(not findings for findings in odd_minutes(stream, 9))


def test_without_a_model_nothing_is_found_or_kept() -> None:
    stream = settled(IsolationForest(IsolationForestSettings()))
    assert odd_minutes(stream, 5) == [[]] * 5
    assert stream.memory.subject(CART).slots == {}


def test_a_shadow_model_s_findings_are_marked() -> None:
    (finding,) = odd_minutes(settled(forest(shadow=True)), 3)[2]
    assert finding.shadow


def test_a_restart_between_odd_windows_changes_nothing() -> None:
    whole, restarted = settled(), settled()
    expected = odd_minutes(whole, 4)
    found = odd_minutes(restarted, 2)
    memory = restarted.memory.subjects[CART]
    restarted.memory.subjects[CART] = msgspec.msgpack.decode(
        msgspec.msgpack.encode(memory), type=SubjectMemory
    )
    found += odd_minutes(restarted, 2, begin=2)
    assert found == expected


def test_what_is_kept_of_a_subject_is_bounded() -> None:
    stream = settled()
    odd_minutes(stream, 30)
    assert len(stream.memory.subject(CART).slots["isolation-forest"]["odd"]) <= 5


def test_every_judged_subject_has_a_score() -> None:
    stream = settled()
    usual(stream.window())
    scores: dict[object, float] = {}
    inspect = stream.detector.inspect

    def remember(closing, memory):  # type: ignore[no-untyped-def]
        findings = list(inspect(closing, memory))
        scores.update(closing.scores)
        return findings

    stream.detector.inspect = remember  # type: ignore[method-assign]
    stream.close()
    assert set(scores) == {CART}
    assert 0 < scores[CART] < THRESHOLD


def test_more_odd_windows_than_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be above windows"):
        IsolationForestSettings(odd_windows=6, windows=5)
