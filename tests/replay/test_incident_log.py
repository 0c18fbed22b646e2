from tests.replay.alerting import alert, resolved

from hubblewatch.alert.record import Transition
from hubblewatch.detectors.finding import Severity
from hubblewatch.replay.incident_log import IncidentLog


def log_of(*alerts, bound=1_000):
    log = IncidentLog(bound)
    for one in alerts:
        log.take(one)
    return log


def test_the_most_severe_incident_comes_first():
    log = log_of(alert("a", Severity.INFO), alert("b", Severity.CRITICAL), alert("c"))

    assert [story.alert.incident for story in log.most_severe()] == ["b", "c", "a"]


def test_a_worse_record_replaces_the_first_of_its_incident():
    log = log_of(alert("a"), alert("a", Severity.CRITICAL))

    (story,) = log.most_severe()
    assert story.alert.severity is Severity.CRITICAL
    assert log.opened == 1


def test_an_incident_ends_with_its_resolution():
    log = log_of(alert("a"), resolved("a", last_seen="2026-03-02T08:07:00Z"))

    (story,) = log.most_severe()
    assert story.is_resolved
    assert story.last_seen == "2026-03-02T08:07:00Z"


def test_an_incident_that_opens_again_is_open():
    log = log_of(alert("a"), resolved("a"), alert("a"))

    (story,) = log.most_severe()
    assert not story.is_resolved


def test_the_worst_severity_outlives_the_resolution():
    log = log_of(alert("a", Severity.CRITICAL), resolved("a"), alert("b"))

    assert log.worst is Severity.CRITICAL


def test_a_shadow_alert_is_never_the_worst():
    log = log_of(alert("a", Severity.CRITICAL, shadow=True), alert("b", Severity.INFO))

    assert log.worst is Severity.INFO
    assert [story.alert.incident for story in log.most_severe()] == ["b", "a"]


def test_a_full_log_keeps_the_worse_incidents_and_counts_all():
    log = log_of(
        alert("a", Severity.INFO), alert("b"), alert("c", Severity.CRITICAL), alert("d"), bound=2
    )

    assert {story.alert.incident for story in log.most_severe()} == {"b", "c"}
    assert log.opened == 4
    assert log.forgotten == 2


def test_one_that_was_not_kept_and_gets_worse_is_kept_then_and_counted_once():
    worse = alert("c", Severity.CRITICAL, transition=Transition.WORSE)
    log = log_of(alert("a"), alert("b"), alert("c"), worse, bound=2)

    assert log.opened == 3
    assert log.forgotten == 1
    assert log.most_severe()[0].alert.incident == "c"


def test_one_that_was_not_kept_and_comes_back_counts_again():
    log = log_of(alert("a"), alert("b"), alert("c"), resolved("c"), alert("c"), bound=2)

    assert log.opened == 4
