from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from tests.closings import CART, Stream, attempts, seen

from hubblewatch.detectors.external_egress import ExternalEgress, ExternalEgressSettings
from hubblewatch.detectors.finding import Finding
from hubblewatch.window.closed import OUTBOUND, Subject
from hubblewatch.window.completeness import Completeness

NEW = ("files.example.net", "mirror.example.org", "198.51.100.7")
STOCK = Subject("shop", "stock", OUTBOUND)


@pytest.fixture
def stream() -> Stream:
    return Stream(ExternalEgress(ExternalEgressSettings()))


def minute(
    stream: Stream,
    *destinations: str,
    subject: Subject = CART,
    completeness: Completeness | None = None,
) -> list[Finding]:
    attempts(stream.window(subject), 5)
    for destination in destinations:
        attempts(stream.window(subject), 2, destination, 443)
    return stream.close(completeness=completeness) if completeness else stream.close()


def settle(stream: Stream, minutes: int = 40, known: Iterable[str] = ()) -> None:
    for _ in range(minutes):
        assert minute(stream, *known) == []


def severities(found: Sequence[list[Finding]]) -> list[str]:
    return [finding.severity.value for findings in found for finding in findings]


@pytest.mark.parametrize("known", [(), ("api.stripe.com",)])
def test_three_new_destinations_are_found_within_three_windows(
    stream: Stream, known: tuple[str, ...]
) -> None:
    settle(stream, 20, known)
    found = [minute(stream, *known, *NEW) for _ in range(3)]
    assert severities(found[:1]) == ["info"]
    assert severities(found[-1:]) == ["warning"]
    (finding,) = found[-1]
    assert finding.observed == 3
    assert ("before it had none outside at all" in finding.summary) is not known
    assert "198.51.100.0/24, example.net, example.org" in finding.description


def test_one_lasting_new_destination_is_found(stream: Stream) -> None:
    settle(stream)
    found = severities([minute(stream, NEW[0]) for _ in range(8)])
    assert found[0] == "info"
    assert found[-1] == "warning"


def test_a_rare_partner_that_shows_up_at_last_is_info(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, NEW[0])]
    for _ in range(3):
        settle(stream, 15)
        found.append(minute(stream, NEW[0]))
    assert severities(found) == ["info"]


def test_the_longer_it_was_watched_the_sooner_it_is_sure(stream: Stream) -> None:
    settle(stream, 600)
    assert severities([minute(stream, NEW[0]) for _ in range(4)])[-1] == "warning"


def test_the_first_ten_windows_are_taken_as_given(stream: Stream) -> None:
    settle(stream, 10, NEW)
    settle(stream, 40)
    assert [minute(stream, *NEW) for _ in range(5)] == [[]] * 5


def test_a_subject_that_changes_destinations_all_the_time_may_go_on(stream: Stream) -> None:
    for number in range(240):
        part = number // 5
        findings = minute(stream, f"198.51.{part}.1", f"203.0.{part}.1")
        assert "warning" not in severities([findings])
    assert findings == []


@pytest.mark.parametrize(("each", "minutes"), [(1, 1_100), (5, 400), (60, 100)])
def test_a_subject_whose_destinations_are_always_new_never_gets_surprising(
    stream: Stream, each: int, minutes: int
) -> None:
    """More than are remembered: what is forgotten must not count as calm."""
    for number in range(minutes):
        fresh = (number * each + one for one in range(each))
        names = [f"{1 + n // 60_000}.{n // 250 % 240}.{n % 250}.1" for n in fresh]
        assert "warning" not in severities([found := minute(stream, *names)])
        assert "critical" not in severities([found])


def test_other_addresses_of_one_network_and_names_of_one_domain_are_not_new(
    stream: Stream,
) -> None:
    settle(stream, 40, ("a.example.com", "203.0.113.4"))
    found = [minute(stream, f"b{n}.example.com", f"203.0.113.{n}") for n in range(10, 20)]
    assert found == [[]] * 10


def test_what_a_neighbour_contacts_already_stays_info(stream: Stream) -> None:
    for _ in range(40):
        attempts(stream.window(STOCK), 2, NEW[0], 443)
        assert minute(stream) == []
    assert set(severities([minute(stream, NEW[0]) for _ in range(8)])) == {"info"}


def test_two_that_begin_together_do_not_excuse_each_other(stream: Stream) -> None:
    for _ in range(60):
        attempts(stream.window(STOCK), 20)
        assert minute(stream) == []
    found = []
    for _ in range(8):
        attempts(stream.window(STOCK), 6, NEW[0], 443)
        found += minute(stream, NEW[0])
    told = {finding.subject for finding in found if finding.severity.value == "warning"}
    assert told == {CART, STOCK}


def test_one_is_told_as_one(stream: Stream) -> None:
    settle(stream)
    (finding,) = minute(stream, NEW[0])
    assert finding.summary.startswith(
        "shop/cart talks to 1 destination outside the cluster that is new for it, for 1 minute now;"
    )


def test_very_many_are_critical(stream: Stream) -> None:
    settle(stream)
    many = [f"www.site-{number}.com" for number in range(12)]
    assert severities([minute(stream, *many) for _ in range(3)])[-1] == "critical"


def test_incomplete_windows_do_not_make_it_surer(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, *NEW, completeness=seen(0.5)) for _ in range(6)]
    assert set(severities(found)) == {"info"}


def test_a_new_subject_is_quiet(stream: Stream) -> None:
    settle(stream)
    for _ in range(10):
        assert minute(stream, *NEW, subject=Subject("shop", "preview", OUTBOUND)) == []


def test_what_it_keeps_is_bounded(stream: Stream) -> None:
    settle(stream)
    for number in range(40):
        minute(stream, *(f"host.d-{number}-{n}.com" for n in range(20)))
    assert len(stream.memory.subject(CART).slots["external-egress"]) <= 16


def test_what_only_served_and_now_talks_to_the_outside_is_found(stream: Stream) -> None:
    postgres = Subject("shop", "postgres", OUTBOUND)
    for _ in range(90):
        attempts(stream.window(), 3, "shop/postgres", 5_432)
        settle(stream, 1)
    found = []
    for _ in range(6):
        attempts(stream.window(postgres), 1, "/203.0.113.9", 4_444)
        found.append(minute(stream))
    assert severities(found)[0] == "info"
    assert severities(found)[-1] == "warning"
    assert "before it had none outside at all" in found[-1][0].summary
    assert "None of it was seen in 90 minutes" in found[-1][0].description
