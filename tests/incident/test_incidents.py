from __future__ import annotations

import msgspec
import pytest
from tests.closings import FIRST, closing_of, finding, seen

from hubblewatch.alert.record import AlertRecord, AlertStatus, Transition
from hubblewatch.detectors.finding import RESOLVE_AFTER_WINDOWS, Finding, Severity
from hubblewatch.detectors.registry import PARENTS
from hubblewatch.incident.incidents import Incident, Incidents
from hubblewatch.incident.suppression_list import parse_suppressions
from hubblewatch.incident.suppressions import Suppressions
from hubblewatch.window.closed import INBOUND, OUTBOUND, Subject

DAY = 24 * 60
"""Minutes."""

STOCK = Subject("shop", "stock", OUTBOUND)


class Timeline:
    """Shows incidents one minute after another."""

    def __init__(self, suppressions: Suppressions | None = None) -> None:
        self.incidents = Incidents("default", PARENTS)
        self.suppressions = suppressions or Suppressions()
        self.number = FIRST

    def minute(
        self, *findings: Finding, share: float = 1.0, silent: tuple[str, ...] = ()
    ) -> list[AlertRecord]:
        closing = closing_of([], self.number, seen(share, silent))
        self.number += 1
        return self.incidents.update(closing, findings, self.suppressions)

    def quiet(self, minutes: int, share: float = 1.0) -> list[AlertRecord]:
        return [record for _ in range(minutes) for record in self.minute(share=share)]


def suppressed(fields: str) -> Suppressions:
    return parse_suppressions(
        f"- name: one\n  {fields}\n  expires: never\n  owner: me\n  reason: known\n"
    )


def test_a_finding_opens_an_incident() -> None:
    (record,) = Timeline().minute(finding())
    assert record.transition is Transition.OPEN
    assert record.status is AlertStatus.FIRING
    assert (record.namespace, record.workload, record.direction) == ("shop", "cart", "outbound")
    assert record.window_start == record.first_seen == "2026-03-02T08:00:00Z"
    assert record.last_seen == "2026-03-02T08:01:00Z"
    assert record.runbook.endswith("/docs/runbooks/policy-denials.md")


def test_the_same_finding_again_extends_it_without_a_word() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    assert timeline.minute(finding(observed=99.0)) == []
    assert len(timeline.incidents.open) == 1


def test_a_higher_severity_is_told_with_what_was_found_then() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    (record,) = timeline.minute(finding(severity=Severity.CRITICAL, observed=99.0))
    assert record.transition is Transition.WORSE
    assert (record.severity, record.observed) == (Severity.CRITICAL, 99.0)
    assert record.first_seen == "2026-03-02T08:00:00Z"


def test_a_lower_severity_changes_nothing() -> None:
    timeline = Timeline()
    timeline.minute(finding(severity=Severity.CRITICAL))
    assert timeline.minute(finding()) == []
    (incident,) = timeline.incidents.open.values()
    assert incident.severity is Severity.CRITICAL


def test_five_quiet_windows_resolve_it() -> None:
    timeline = Timeline()
    (opened,) = timeline.minute(finding())
    assert timeline.quiet(RESOLVE_AFTER_WINDOWS - 1) == []
    (record,) = timeline.minute()
    assert (record.status, record.transition) == (AlertStatus.RESOLVED, Transition.RESOLVE)
    assert record.incident == opened.incident
    assert record.last_seen == "2026-03-02T08:01:00Z"
    assert timeline.incidents.open == {}


def test_a_window_that_shows_it_again_begins_the_quiet_anew() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    timeline.quiet(4)
    timeline.minute(finding())
    assert timeline.quiet(4) == []
    assert len(timeline.minute()) == 1


def test_incomplete_windows_do_not_resolve() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    assert timeline.quiet(20, share=0.5) == []
    assert len(timeline.quiet(RESOLVE_AFTER_WINDOWS)) == 1


def test_windows_that_its_detector_does_not_judge_do_not_resolve() -> None:
    timeline = Timeline()
    timeline.minute(finding("connectivity-errors", needs_all_nodes=True), finding())
    ended = [
        record.detector
        for _ in range(RESOLVE_AFTER_WINDOWS)
        for record in timeline.minute(share=0.95, silent=("node-1",))
    ]
    assert ended == ["policy-denials"]
    assert [r.detector for r in timeline.quiet(RESOLVE_AFTER_WINDOWS)] == ["connectivity-errors"]


def test_the_lowest_completeness_of_its_windows_is_told() -> None:
    timeline = Timeline()
    timeline.minute(finding(), share=0.9)
    timeline.minute(finding(), share=0.6)
    (record,) = timeline.quiet(RESOLVE_AFTER_WINDOWS)
    assert record.completeness == 0.6


def test_another_subject_another_key_and_another_detector_are_other_incidents() -> None:
    findings = [
        finding(),
        finding(subject=STOCK),
        finding(key="peer"),
        finding("udp-spike"),
    ]
    records = Timeline().minute(*findings)
    assert len({record.incident for record in records}) == 4


def test_what_is_done_to_a_workload_and_what_it_does_are_two_incidents() -> None:
    timeline = Timeline()
    inbound = Subject(*finding().subject[:2], INBOUND)
    to_it = finding(subject=inbound, severity=Severity.WARNING)
    from_it = finding(severity=Severity.CRITICAL)
    timeline.minute(to_it)
    (told,) = timeline.minute(to_it, from_it)
    assert (told.direction, told.severity, told.status) == (
        OUTBOUND, Severity.CRITICAL, AlertStatus.FIRING
    )  # fmt: skip
    over = [record for _ in range(RESOLVE_AFTER_WINDOWS) for record in timeline.minute(to_it)]
    assert [(one.direction, one.status) for one in over] == [(OUTBOUND, AlertStatus.RESOLVED)]


def test_an_incident_under_a_former_id_ends_and_hides_no_other() -> None:
    """An older version gave what is done to a workload the id of what it does."""
    inbound = finding(subject=Subject(*finding().subject[:2], INBOUND))
    (outbound_id,) = {record.incident for record in Timeline().minute(finding())}
    timeline = Timeline()
    former = Incident(outbound_id, inbound, Severity.WARNING, 0, 60)
    timeline.incidents.open[outbound_id] = former
    records = timeline.minute(inbound, finding())
    assert [(one.direction, one.transition) for one in records] == [
        (INBOUND, Transition.RESOLVE),
        (INBOUND, Transition.OPEN),
        (OUTBOUND, Transition.OPEN),
    ]
    assert len(timeline.incidents.open) == 2
    assert outbound_id in timeline.incidents.drain_changed()


def test_ids_depend_on_what_it_is_about_and_on_nothing_else() -> None:
    (one,) = Timeline().minute(finding())
    (other,) = Timeline().minute(finding(observed=77.0, score=9.0, summary="else"))
    assert (one.id, one.incident) == (other.id, other.incident)


def test_an_incident_that_comes_back_keeps_its_id_and_sends_new_records() -> None:
    timeline = Timeline()
    (first,) = timeline.minute(finding())
    timeline.quiet(RESOLVE_AFTER_WINDOWS)
    (second,) = timeline.minute(finding())
    assert first.incident == second.incident
    assert first.id != second.id


def test_a_parent_hides_its_effects_on_the_same_subject_only() -> None:
    records = Timeline().minute(
        finding("policy-denials"),
        finding("port-scan"),
        finding("policy-denials", subject=STOCK),
    )
    told = {(record.detector, record.workload) for record in records}
    assert told == {("port-scan", "cart"), ("policy-denials", "stock")}


def test_an_open_parent_hides_effects_that_show_later() -> None:
    timeline = Timeline()
    timeline.minute(finding("port-scan"))
    assert timeline.minute(finding("policy-denials")) == []


def test_an_effect_that_showed_first_resolves_under_its_parent() -> None:
    timeline = Timeline()
    timeline.minute(finding("policy-denials"))
    records = []
    for _ in range(RESOLVE_AFTER_WINDOWS):
        records += timeline.minute(finding("policy-denials"), finding("port-scan"))
    assert [(r.detector, r.transition) for r in records] == [
        ("port-scan", Transition.OPEN),
        ("policy-denials", Transition.RESOLVE),
    ]


def test_a_suppressed_finding_opens_nothing_and_is_counted() -> None:
    timeline = Timeline(suppressed("workload: cart"))
    assert timeline.minute(finding()) == []
    assert timeline.incidents.open == {}
    assert timeline.incidents.suppressed == {"one": 1}


def test_a_suppressed_parent_still_hides_its_effects() -> None:
    timeline = Timeline(suppressed("detector: port-scan"))
    assert timeline.minute(finding("port-scan"), finding("policy-denials")) == []


def test_an_open_incident_ends_when_it_is_suppressed() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    timeline.suppressions = suppressed("workload: cart")
    (record,) = timeline.minute(finding())
    assert record.transition is Transition.RESOLVE
    assert timeline.incidents.open == {}
    assert timeline.incidents.suppressed == {"one": 1}


def test_an_open_incident_of_an_incomplete_stream_ends_when_it_is_suppressed() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    timeline.suppressions = suppressed("workload: cart")
    (record,) = timeline.minute(share=0.5)
    assert record.transition is Transition.RESOLVE


def test_model_and_trial_mode_are_passed_on() -> None:
    (record,) = Timeline().minute(finding(model="forest-1", shadow=True))
    assert (record.model, record.shadow) == ("forest-1", True)


@pytest.mark.parametrize("at_first", [True, False])
def test_an_incident_ends_where_its_model_is_put_on_trial_or_taken_off(at_first: bool) -> None:
    timeline = Timeline()
    odd = {on_trial: finding("isolation-forest", shadow=on_trial) for on_trial in (True, False)}
    shown = [at_first, at_first, not at_first, not at_first, not at_first]
    records = [timeline.minute(odd[on_trial]) for on_trial in shown]
    assert [[(one.transition, one.shadow) for one in told] for told in records] == [
        [(Transition.OPEN, at_first)],
        [],
        [(Transition.RESOLVE, at_first)],
        [(Transition.OPEN, not at_first)],
        [],
    ]
    assert bool(timeline.incidents.alerted_subjects()) is at_first


def test_an_open_incident_reads_back_as_it_was_written() -> None:
    timeline = Timeline()
    timeline.minute(finding(pods=["cart-0"]))
    (incident,) = timeline.incidents.open.values()
    encoded = msgspec.msgpack.encode(incident)
    assert msgspec.msgpack.decode(encoded, type=Incident) == incident


def test_a_parent_that_never_pages_hides_no_child_that_does() -> None:
    timeline = Timeline()
    mild = finding("port-scan", severity=Severity.INFO)
    records = timeline.minute(mild, finding())
    assert {record.detector for record in records} == {"port-scan", "policy-denials"}


def test_a_parent_that_never_pages_hides_a_child_that_does_not_either() -> None:
    timeline = Timeline()
    mild = finding("port-scan", severity=Severity.INFO)
    (record,) = timeline.minute(mild, finding(severity=Severity.INFO))
    assert record.detector == "port-scan"


def test_an_open_parent_hides_by_its_worst_severity() -> None:
    timeline = Timeline()
    timeline.minute(finding("port-scan"))
    assert timeline.minute(finding("port-scan", severity=Severity.INFO), finding()) == []


def test_an_incident_that_nobody_sees_for_a_day_ends_however_incomplete_the_stream() -> None:
    timeline = Timeline()
    (opened,) = timeline.minute(finding(), share=0.5)
    assert timeline.quiet(DAY - 1, share=0.5) == []
    (record,) = timeline.minute(share=0.5)
    assert record.transition is Transition.RESOLVE
    assert (record.incident, record.last_seen) == (opened.incident, opened.last_seen)
    assert record.summary == f"{opened.summary} (not seen for a day)"
    assert record.description.startswith(opened.description)
    assert "does not show that it is over" in record.description
    assert timeline.incidents.open == {}


def test_one_that_is_seen_once_a_day_goes_on() -> None:
    timeline = Timeline()
    timeline.minute(finding(), share=0.5)
    for _ in range(3):
        assert timeline.quiet(DAY - 1, share=0.5) == []
        assert timeline.minute(finding(), share=0.5) == []
    assert len(timeline.incidents.open) == 1


def test_windows_that_its_detector_does_not_judge_end_it_after_a_day_too() -> None:
    timeline = Timeline()
    timeline.minute(finding("connectivity-errors", needs_all_nodes=True))
    records = [r for _ in range(DAY) for r in timeline.minute(share=0.95, silent=("node-1",))]
    assert [r.transition for r in records] == [Transition.RESOLVE]


def test_quiet_that_shows_the_end_is_told_as_ever() -> None:
    timeline = Timeline()
    (opened,) = timeline.minute(finding())
    (record,) = timeline.quiet(RESOLVE_AFTER_WINDOWS)
    assert (record.summary, record.description) == (opened.summary, opened.description)


def test_one_that_was_open_when_the_stream_stood_still_for_a_day_ends_with_it() -> None:
    timeline = Timeline()
    timeline.minute(finding())
    timeline.number += 2 * DAY
    (record,) = timeline.minute()
    assert record.transition is Transition.RESOLVE
    assert record.summary.endswith("(not seen for a day)")


def crowd(count: int, severity: Severity = Severity.WARNING, **fields: object) -> list[Finding]:
    return [finding(key=f"{severity}-{n}", severity=severity, **fields) for n in range(count)]


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Timeline:
    """Incidents of which no more than three may be open."""
    monkeypatch.setattr("hubblewatch.incident.incidents.MAX_OPEN", 3)
    return Timeline()


def test_no_more_incidents_open_than_may_be_and_the_others_are_counted(three: Timeline) -> None:
    assert len(three.minute(*crowd(5))) == 3
    before = set(three.incidents.open)
    assert three.minute(*crowd(5)) == []
    assert set(three.incidents.open) == before
    assert three.incidents.refused == 4


def test_a_more_urgent_incident_makes_the_mildest_end(three: Timeline) -> None:
    three.minute(*crowd(2), *crowd(1, Severity.INFO))
    told = three.minute(*crowd(2), *crowd(1, Severity.CRITICAL))
    assert [(one.severity, one.transition) for one in told] == [
        (Severity.CRITICAL, Transition.OPEN),
        (Severity.INFO, Transition.RESOLVE),
    ]
    assert told[1].summary.endswith("(ended to make room)")
    assert "not show that it is over" in told[1].description
    assert three.incidents.refused == 1


def test_what_is_on_trial_and_what_is_not_seen_any_more_make_room_first(three: Timeline) -> None:
    trial = crowd(1, Severity.CRITICAL, shadow=True)
    old, new = crowd(2), crowd(4)[2:]
    three.minute(*trial, *old, share=0.5)
    told = three.minute(*trial, *new, old[1], share=0.5)
    ended = [one for one in told if one.transition is Transition.RESOLVE]
    assert [one.shadow for one in ended] == [True, False]
    keys = {incident.finding.key for incident in three.incidents.open.values()}
    assert keys == {old[1].key, *(one.key for one in new)}
