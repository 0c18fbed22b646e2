from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.closings import CART, SIZE, Stream, attempts

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.detectors.finding import Finding
from hubblewatch.detectors.new_edge import NewEdge, NewEdgeSettings
from hubblewatch.window.closed import INBOUND, OUTBOUND, Subject

HOME = (("shop/stock", 8_080), ("shop/orders", 8_080), ("kube-system/coredns", 53))
STOCK = Subject("shop", "stock", OUTBOUND)

Peers = Sequence[tuple[str, int]]


@pytest.fixture
def stream() -> Stream:
    return Stream(NewEdge(NewEdgeSettings()))


def minute(stream: Stream, *new: tuple[str, int], subject: Subject = CART) -> list[Finding]:
    for peer, port in (*HOME, *new):
        attempts(stream.window(subject), 3, peer, port)
    return stream.close()


def settle(stream: Stream, minutes: int = 40) -> None:
    for _ in range(minutes):
        assert minute(stream) == []


def store(number: int) -> tuple[str, int]:
    return f"data-{number}/postgres", 5_432


def severities(found: Sequence[list[Finding]]) -> list[str]:
    return [finding.severity.value for findings in found for finding in findings]


def test_one_new_peer_is_info(stream: Stream) -> None:
    settle(stream)
    (finding,) = minute(stream, ("shop/mail", 8_080))
    assert finding.severity.value == "info"
    assert "contacted 1 peer for the first time within 1 minute; before it knew 3" in (
        finding.summary
    )
    assert "shop/mail:8080/tcp" in finding.description


def test_a_known_peer_says_nothing_again(stream: Stream) -> None:
    settle(stream)
    minute(stream, store(1))
    assert minute(stream, store(1)) == []


def test_one_database_after_another_is_a_warning_at_the_third(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, store(number)) for number in range(4)]
    assert severities(found) == ["info", "info", "warning", "warning"]
    assert found[2][0].observed == 3
    assert [peer.namespace for peer in found[2][0].peers] == ["data-2", "data-1", "data-0"]
    assert found[2][0].since == (stream.number - 4) * SIZE


def test_denied_attempts_are_contacts(stream: Stream) -> None:
    settle(stream)
    found = []
    for number in range(3):
        peer, port = store(number)
        attempts(stream.window(), 1, peer, port, outcome=Outcome.DENIED)
        found.append(minute(stream))
    assert severities(found)[-1] == "warning"
    assert "tried to reach 3 peers for the first time" in found[-1][0].summary


def test_what_let_nothing_in_is_named(stream: Stream) -> None:
    settle(stream)
    minute(stream, store(0))
    peer, port = store(1)
    attempts(stream.window(), 1, peer, port, outcome=Outcome.FAILED)
    minute(stream)
    (finding,) = minute(stream, store(2))
    assert "contacted 3 peers for the first time" in finding.summary
    assert "Without success: data-1/postgres:5432/tcp. " in finding.description


def test_six_databases_at_once_are_critical(stream: Stream) -> None:
    settle(stream)
    (finding,) = minute(stream, *(store(number) for number in range(6)))
    assert finding.severity.value == "critical"


def test_ordinary_neighbours_need_to_be_more(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, (f"shop/web-{number}", 8_080)) for number in range(5)]
    assert severities(found) == ["info", "info", "warning"]
    assert found[4]


def test_two_in_an_hour_are_no_warning(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, store(1))]
    settle(stream, 20)
    found.append(minute(stream, store(2)))
    assert severities(found) == ["info", "info"]


def test_the_first_ten_windows_are_taken_as_given(stream: Stream) -> None:
    for number in range(10):
        assert minute(stream, *(store(10 * number + n) for n in range(10))) == []


def test_a_subject_that_appears_later_learns_as_quietly(stream: Stream) -> None:
    settle(stream)
    new = Subject("shop", "preview", OUTBOUND)
    for number in range(10):
        attempts(stream.window(new), 1, *store(number))
        assert minute(stream) == []


POSTGRES = Subject("shop", "postgres", OUTBOUND)


@pytest.mark.parametrize("direction", [OUTBOUND, INBOUND])
def test_what_only_served_for_an_hour_is_given_nothing(stream: Stream, direction: str) -> None:
    for _ in range(90):
        caller = CART if direction == OUTBOUND else POSTGRES._replace(direction=INBOUND)
        attempts(stream.window(caller), 3, "shop/postgres", 5_432)
        assert minute(stream) == []
    found = []
    for number in range(4):
        attempts(stream.window(POSTGRES), 1, *store(number))
        found.append(minute(stream))
    assert severities(found) == ["info", "info", "warning", "warning"]
    assert "before it knew 0" in found[2][0].summary


def test_what_served_for_an_hour_and_asks_for_credentials_is_critical(stream: Stream) -> None:
    for _ in range(90):
        attempts(stream.window(), 3, "shop/postgres", 5_432)
        assert minute(stream) == []
    attempts(stream.window(POSTGRES), 1, "/169.254.169.254", 80)
    (finding,) = minute(stream)
    assert (finding.subject, finding.severity.value) == (POSTGRES, "critical")


@pytest.mark.parametrize("outcome", [Outcome.ALLOWED, Outcome.FAILED])
def test_a_new_server_meets_its_partners_in_peace(stream: Stream, outcome: Outcome) -> None:
    settle(stream, 90)
    for _ in range(40 if outcome is Outcome.ALLOWED else 90):
        attempts(stream.window(), 3, "shop/postgres", 5_432, outcome=outcome)
        minute(stream)
    for number in range(4):
        attempts(stream.window(POSTGRES), 1, *store(number))
        assert minute(stream) == []


def test_a_subject_that_meets_new_peers_all_the_time_may_go_on(stream: Stream) -> None:
    for number in range(120):
        findings = minute(stream, store(number))
    assert findings == []


def test_more_addresses_of_known_peers_are_not_new(stream: Stream) -> None:
    settle(stream)
    for number in range(20):
        attempts(stream.window(), 1, "shop/stock", 8_080, address=f"10.0.0.{number}")
    assert minute(stream) == []


def test_other_ports_of_a_known_peer_weigh_little(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, ("shop/stock", 9_000 + number)) for number in range(6)]
    assert set(severities(found)) == {"info"}


def test_what_a_neighbour_uses_already_weighs_half(stream: Stream) -> None:
    stores = [store(number) for number in range(3)]
    for _ in range(40):
        for peer, port in stores:
            attempts(stream.window(STOCK), 1, peer, port)
        assert minute(stream) == []
    assert set(severities([minute(stream, peer) for peer in stores])) == {"info"}


@pytest.mark.parametrize(("watched", "severity"), [(40, "info"), (90, "warning")])
def test_the_apiserver_alone_is_a_warning_for_who_was_watched_an_hour(
    stream: Stream, watched: int, severity: str
) -> None:
    settle(stream, watched)
    (finding,) = minute(stream, ("/kube-apiserver", 6_443))
    assert finding.severity.value == severity
    assert "one peer after another" not in finding.description


def test_the_metadata_service_is_critical_for_who_was_watched_an_hour(stream: Stream) -> None:
    settle(stream, 90)
    (finding,) = minute(stream, ("/169.254.169.254", 80))
    assert finding.severity.value == "critical"
    assert "gives the machine's own credentials to whoever asks it" in finding.description
    assert "give it a role of its own" in finding.recommendation


def test_the_metadata_service_is_critical_in_company_too(stream: Stream) -> None:
    settle(stream, 90)
    (finding,) = minute(stream, store(1), store(2), ("/169.254.169.254", 80))
    assert finding.observed == 3
    assert finding.severity.value == "critical"


@pytest.mark.parametrize(
    ("port", "severity"), [(10_250, "warning"), (9_100, "info"), (6_443, "info")]
)
def test_a_kubelet_alone_is_a_warning_for_who_was_watched_an_hour(
    stream: Stream, port: int, severity: str
) -> None:
    settle(stream, 90)
    (finding,) = minute(stream, ("/node", port))
    assert finding.severity.value == severity


def test_the_metadata_service_is_info_where_a_neighbour_uses_it(stream: Stream) -> None:
    attempts(stream.window(STOCK), 1, "/169.254.169.254", 80)
    settle(stream, 90)
    (finding,) = minute(stream, ("/169.254.169.254", 80))
    assert finding.severity.value == "info"


def test_destinations_outside_and_inbound_peers_are_not_its_work(stream: Stream) -> None:
    inbound = Subject("shop", "cart", INBOUND)
    for _ in range(40):
        attempts(stream.window(inbound), 1, "/node")
        assert minute(stream) == []
    for number in range(9):
        attempts(stream.window(), 1, f"/198.51.{number}.7", 443)
        attempts(stream.window(inbound), 1, "/world", 8_000 + number)
    assert minute(stream) == []


def test_a_broad_subject_may_meet_a_few_more(stream: Stream) -> None:
    broad = [(f"team-{number}/web", 8_080) for number in range(60)]
    for _ in range(40):
        assert minute(stream, *broad) == []
    found = [minute(stream, *broad, (f"new-{number}/web", 8_080)) for number in range(10)]
    assert set(severities(found)) == {"info"}


def test_who_watches_all_and_meets_what_was_deployed_is_no_emergency(stream: Stream) -> None:
    broad = [(f"team-{number}/web", 8_080) for number in range(60)]
    for _ in range(40):
        assert minute(stream, *broad) == []
    (finding,) = minute(stream, *broad, *((f"launch/app-{number}", 8_080) for number in range(20)))
    assert finding.severity.value == "warning"
