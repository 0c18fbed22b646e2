import pytest
from tests.builders import START, pod, world
from tests.connections import tcp
from tests.refusals import denied, refused
from tests.replay.alerting import alert, closed
from tests.running import run

from hubblewatch.replay.summary import DEFAULT_DENY, Summary


def summary_of(*closings):
    summary = Summary()
    for one in closings:
        summary.observe(one)
    return summary


def summary_of_lines(lines):
    return summary_of(*run(lines).closed)


def test_attempts_are_summed_by_outcome_over_windows():
    summary = summary_of_lines(
        [*tcp(at=0), *tcp(at=61, from_port=41_001), *refused(at=62, from_port=41_002)]
    )

    assert summary.attempts == 3
    assert summary.outcomes == {"allowed": 2, "failed": 1}
    assert summary.protocols == {"tcp": 3}
    assert summary.closings == 2
    assert (summary.start, summary.end) == (START, START + 120)


def test_talkers_and_edges_are_named_in_the_direction_of_the_connection():
    summary = summary_of_lines([*tcp(pod("shop/cart-0"), pod("shop/db-0"), port=5_432)])

    (subject, attempts) = summary.talkers.top(1)[0]
    assert (subject.namespace, subject.workload, attempts) == ("shop", "cart", 1)
    assert str(summary.edges.top(1)[0][0]) == "shop/cart → shop/db:5432/tcp"


def test_an_inbound_edge_begins_at_the_client():
    summary = summary_of_lines(tcp(world(), pod("shop/web-0"), port=443))

    assert str(summary.edges.top(1)[0][0]) == "world → shop/web:443/tcp"


def test_denials_name_edge_window_and_policy():
    summary = summary_of_lines(denied(pod("shop/cart-0"), at=61, policy="no-db"))

    (denial,) = summary.denials
    assert (denial.start, denial.attempts) == (START + 60, 1)
    assert summary.policies[denial.flight] == ["shop/no-db"]


def test_a_denial_without_policy_is_a_default_deny():
    summary = summary_of_lines(denied(pod("shop/cart-0")))

    assert list(summary.policies.values()) == [[DEFAULT_DENY]]


def test_a_policy_is_not_pinned_on_an_edge_when_several_were_denied():
    summary = summary_of_lines(
        [
            *denied(pod("shop/cart-0"), policy="no-db"),
            *denied(pod("shop/cart-0"), pod("shop/mail-0"), port=25, from_port=41_001),
        ]
    )

    assert len(summary.denied_edges) == 2
    assert list(summary.policies.values()) == [[], []]


def test_the_worst_closings_are_kept_worst_last():
    summary = summary_of(
        *(closed(number, share=1 - number / 20, lost=number) for number in range(10))
    )

    assert summary.incomplete == 9
    assert summary.below_floor == 5
    assert sorted(worst.lost for worst in summary.worst) == [5, 6, 7, 8, 9]
    assert max(summary.worst).missed == pytest.approx(9 / 20)


def test_alerts_reach_the_incident_log():
    summary = summary_of(closed(0, [alert("a")]), closed(1, [alert("b")]))

    assert summary.incidents.opened == 2
