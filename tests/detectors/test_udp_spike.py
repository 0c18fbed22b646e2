from __future__ import annotations

import pytest
from tests.closings import CART, Stream, attempts, seen

from hubblewatch.detectors.finding import Finding
from hubblewatch.detectors.udp_spike import UdpSpike, UdpSpikeSettings
from hubblewatch.window.closed import OUTBOUND, Subject

DNS = "kube-system/coredns"
STATSD = Subject("shop", "stats-client", OUTBOUND)


@pytest.fixture
def stream() -> Stream:
    return Stream(UdpSpike(UdpSpikeSettings()))


def minute(
    stream: Stream,
    udp: int = 0,
    *,
    tcp: int = 20,
    lookups: int = 0,
    subject: Subject = CART,
    port: int = 9_999,
) -> None:
    attempts(stream.window(subject), tcp)
    attempts(stream.window(subject), lookups, DNS, 53, "udp")
    attempts(stream.window(subject), udp, "shop/stock", port, "udp")


def severity(findings: list[Finding]) -> str:
    return findings[0].severity.value if findings else ""


def quiet(stream: Stream, minutes: int, udp: int = 0, **rest: int) -> None:
    for _ in range(minutes):
        minute(stream, udp, **rest)
        assert stream.close() == []


@pytest.mark.parametrize("past", [3, 5, 9, 10, 60])
def test_a_flood_of_a_subject_without_udp_is_critical(stream: Stream, past: int) -> None:
    quiet(stream, past)
    minute(stream, 5_000)
    assert severity(stream.close()) == "critical"


def test_a_flood_from_the_first_window_on_is_found_among_others(stream: Stream) -> None:
    for number in range(5):
        minute(stream, 30, subject=Subject("shop", f"calm-{number}", OUTBOUND))
    minute(stream, 5_000)
    (finding,) = stream.close()
    assert finding.subject == CART
    assert "the busiest other workload of its namespace" in finding.summary


def test_heavy_udp_from_the_first_window_on_is_quiet_if_others_are_not_far_below(
    stream: Stream,
) -> None:
    for _ in range(12):
        minute(stream, 1_500)
        minute(stream, 400, subject=STATSD)
        minute(stream, 2, subject=Subject("shop", "calm", OUTBOUND))
        assert stream.close() == []


def test_a_new_subject_is_judged_by_higher_floors(stream: Stream) -> None:
    quiet(stream, 30)
    new = Subject("shop", "new", OUTBOUND)
    for udp, expected in ((0, ""), (400, ""), (2_000, "critical")):
        minute(stream)
        minute(stream, udp, subject=new)
        assert severity(stream.close()) == expected


def test_a_moderate_rise_is_a_warning(stream: Stream) -> None:
    quiet(stream, 60, 40)
    minute(stream, 250)
    assert severity(stream.close()) == "warning"


@pytest.mark.parametrize(
    ("usual", "udp"),
    [(0, 90), (40, 130), (400, 1_100), (5_000, 12_000)],
    ids=["below the floor", "below the excess", "below the ratio", "busy, below the ratio"],
)
def test_a_rise_that_is_small_in_one_way_is_quiet(stream: Stream, usual: int, udp: int) -> None:
    quiet(stream, 60, usual)
    minute(stream, udp)
    assert stream.close() == []


def test_lookups_that_go_with_connections_are_quiet(stream: Stream) -> None:
    quiet(stream, 60, tcp=20, lookups=40)
    minute(stream, tcp=500, lookups=2_000)
    assert stream.close() == []


def test_udp_that_rises_with_tcp_is_load(stream: Stream) -> None:
    quiet(stream, 60, 100, tcp=100)
    minute(stream, 1_000, tcp=1_000)
    assert stream.close() == []


def test_lookups_far_beyond_connections_are_found(stream: Stream) -> None:
    quiet(stream, 60, tcp=20, lookups=40)
    minute(stream, tcp=20, lookups=3_000)
    (finding,) = stream.close()
    assert finding.severity.value == "critical"
    assert "2,900 DNS look-ups of shop/cart" in finding.summary
    assert finding.ports == [53]


def test_alone_at_the_beginning_there_is_nothing_to_compare_with(stream: Stream) -> None:
    minute(stream, 5_000)
    minute(stream, 10, subject=Subject("bank", "ledger", OUTBOUND))
    assert stream.close() == []


def test_a_flood_that_goes_on_stays_found(stream: Stream) -> None:
    quiet(stream, 60)
    for _ in range(30):
        minute(stream, 2_000)
        assert any(finding.subject == CART for finding in stream.close())


def test_a_flood_in_an_incomplete_window_is_found(stream: Stream) -> None:
    quiet(stream, 60)
    minute(stream, 2_000)
    assert stream.close(completeness=seen(0.5))


def test_it_says_how_much_what_is_usual_and_where_to(stream: Stream) -> None:
    quiet(stream, 60, 12)
    minute(stream, 1_204)
    (finding,) = stream.close()
    assert (
        finding.summary
        == "1,204 UDP attempts of shop/cart within 1 minute; usual is 12, from its own past"
    )
    assert "shop/cart -> shop/stock:9999/udp (1204)" in finding.description
    assert (finding.protocol, finding.ports) == ("udp", [9_999])
    assert finding.baseline == "active"


def share(stream: Stream, minutes: int, tcp: int, udp: int) -> list[Finding]:
    """Minutes in which ten workloads of a namespace share its traffic; the namespace's findings."""
    found = []
    for _ in range(minutes):
        for number in range(10):
            subject = Subject("shop", f"part-{number}", OUTBOUND)
            minute(stream, udp // 10, tcp=tcp // 10, subject=subject)
        found += [finding for finding in stream.close() if not finding.subject.workload]
    return found


def test_a_namespace_that_turns_to_udp_is_found_in_the_second_window(stream: Stream) -> None:
    assert share(stream, 30, 200, 40) == []
    assert share(stream, 1, 200, 800) == []
    (finding,) = share(stream, 1, 200, 800)
    assert finding.subject == Subject("shop", "", OUTBOUND)
    assert "UDP is 80% of the attempts in namespace shop" in finding.summary
    assert finding.key == "share"


def test_a_namespace_that_was_always_udp_is_quiet(stream: Stream) -> None:
    assert share(stream, 60, 100, 900) == []


def test_a_share_that_rises_because_tcp_stops_is_quiet(stream: Stream) -> None:
    assert share(stream, 30, 400, 100) == []
    assert share(stream, 5, 10, 100) == []


def test_a_share_of_few_attempts_is_quiet(stream: Stream) -> None:
    assert share(stream, 30, 30, 0) == []
    assert share(stream, 5, 0, 40) == []


def test_a_share_below_seventy_per_cent_is_quiet(stream: Stream) -> None:
    assert share(stream, 30, 200, 40) == []
    assert share(stream, 5, 200, 400) == []


def test_usual_look_ups_are_not_taken_for_the_flood(stream: Stream) -> None:
    quiet(stream, 60, tcp=200, lookups=950)
    minute(stream, 600, tcp=200, lookups=950)
    (finding,) = stream.close()
    assert "600 UDP attempts of shop/cart" in finding.summary
    assert finding.ports == [9_999]
    assert [peer.ports for peer in finding.peers] == [[9_999]]


def test_a_flood_beside_a_flood_of_look_ups_is_named_with_it(stream: Stream) -> None:
    quiet(stream, 60)
    minute(stream, 1_000, lookups=1_300)
    (finding,) = stream.close()
    assert "2,200 UDP attempts of shop/cart" in finding.summary
    assert finding.ports == [53, 9_999]
