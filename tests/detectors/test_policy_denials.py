from __future__ import annotations

import pytest
from tests.closings import SIZE, Stream, attempts, seen

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.detectors.finding import Finding, Severity
from hubblewatch.detectors.policy_denials import PolicyDenials, PolicyDenialsSettings
from hubblewatch.window.closed import INBOUND, Subject


@pytest.fixture
def stream() -> Stream:
    return Stream(PolicyDenials(PolicyDenialsSettings()))


def denied(stream: Stream, *counts: int) -> list[list[Finding]]:
    """Minutes in which so many attempts are denied beside twenty that are not."""
    found = []
    for count in counts:
        attempts(stream.window(), 20)
        attempts(stream.window(), count, "bank/ledger", 5_432, outcome=Outcome.DENIED)
        found.append(stream.close())
    return found


def severities(found: list[list[Finding]]) -> list[str]:
    return [findings[0].severity.value if findings else "" for findings in found]


@pytest.mark.parametrize("past", [0, 5, 30, 120])
def test_a_burst_is_critical_whatever_the_past(stream: Stream, past: int) -> None:
    stream.repeat(past)
    assert severities(denied(stream, 40)) == ["critical"]


@pytest.mark.parametrize("past", [0, 5, 30, 120])
def test_a_few_in_each_of_three_windows_are_a_warning(stream: Stream, past: int) -> None:
    stream.repeat(past)
    assert severities(denied(stream, 3, 3, 3)) == ["", "warning", "warning"]


def test_a_slow_retry_is_found_when_most_of_ten_windows_have_one(stream: Stream) -> None:
    stream.repeat(60)
    told = denied(stream, *[1] * 10)
    found = severities(told)
    assert found[:6] == [""] * 6
    assert found[6:] == ["warning"] * 4
    assert told[-1][0].since == (stream.number - 10) * SIZE


@pytest.mark.parametrize(
    "counts", [(5,), (10,), (2, 0, 0, 2, 0, 0, 1), (1, 0, 0, 0, 1, 0, 0, 0, 1)]
)
def test_stray_denials_are_quiet(stream: Stream, counts: tuple[int, ...]) -> None:
    stream.repeat(60)
    assert severities(denied(stream, *counts)) == [""] * len(counts)


def test_denials_that_were_always_there_become_quiet(stream: Stream) -> None:
    denied(stream, *[8] * 600)
    assert severities(denied(stream, 8, 9, 7, 11)) == [""] * 4


def test_a_burst_above_usual_denials_is_found(stream: Stream) -> None:
    denied(stream, *[8] * 600)
    assert severities(denied(stream, 80)) == ["critical"]


def test_denials_in_an_incomplete_window_are_found(stream: Stream) -> None:
    stream.repeat(60)
    attempts(stream.window(), 40, "bank/ledger", outcome=Outcome.DENIED)
    assert len(stream.close(completeness=seen(0.3))) == 1


def test_denied_pings_are_quiet(stream: Stream) -> None:
    stream.repeat(30)
    attempts(stream.window(), 20)
    stream.window().icmp = stream.window().icmp_denied = 500
    assert stream.close() == []


def test_it_names_edge_policy_and_number(stream: Stream) -> None:
    stream.repeat(60)
    stream.window().policies["bank/restrict-ingress"] = None
    ((finding,),) = denied(stream, 40)
    assert finding.severity is Severity.CRITICAL
    assert "denied 40 connection attempts of shop/cart within 1 minute" in finding.summary
    assert "shop/cart -> bank/ledger:5432/tcp (40)" in finding.description
    assert "denied by bank/restrict-ingress" in finding.description
    assert (finding.observed, finding.expected) == (40.0, 0.0)
    assert finding.verdict == "DROPPED"


def test_without_a_policys_name_it_says_why(stream: Stream) -> None:
    ((finding,),) = denied(stream, 40)
    assert "a default deny has no name" in finding.description


def test_attempts_from_outside_are_told_as_such(stream: Stream) -> None:
    subject = Subject("shop", "cart", INBOUND)
    attempts(stream.window(subject), 40, "world", 22, outcome=Outcome.DENIED)
    (finding,) = stream.close()
    assert "from outside the pods to shop/cart" in finding.summary
    assert finding.evidence.edges == ["world -> shop/cart:22/tcp (40)"]
