from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from tests.closings import CART, Stream, attempts, seen

from hubblewatch.detectors.dns_anomaly import DnsAnomaly, DnsAnomalySettings
from hubblewatch.detectors.finding import Finding
from hubblewatch.window.completeness import Completeness

HOME = (
    "stock.shop.svc.cluster.local.",
    "api.stripe.com.shop.svc.cluster.local.",
    "api.stripe.com.",
)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@pytest.fixture
def stream() -> Stream:
    return Stream(DnsAnomaly(DnsAnomalySettings()))


def minute(
    stream: Stream,
    names: Iterable[str] = (),
    failures: int = 4,
    queries: int = 10,
    completeness: Completeness | None = None,
    answered: Iterable[str] = (),
) -> list[Finding]:
    window = stream.window()
    attempts(window, 10)
    asked = [*HOME, *names]
    window.dns_answered.update(answered)
    window.dns_names.update(asked)
    window.dns_queries += max(queries, len(asked))
    window.dns_failures += failures
    return stream.close(completeness=completeness) if completeness else stream.close()


def settle(stream: Stream, minutes: int = 30) -> None:
    for _ in range(minutes):
        assert minute(stream) == []


def label(rng: random.Random, length: int = 45) -> str:
    return "".join(rng.choice(ALPHABET) for _ in range(length))


def carried(rng: random.Random, count: int, length: int = 45) -> list[str]:
    return [f"{label(rng, length)}.t.pkg-mirror.cc." for _ in range(count)]


def severities(found: Sequence[list[Finding]]) -> list[str]:
    return [finding.severity.value for findings in found for finding in findings]


@pytest.mark.parametrize("past", [0, 30])
def test_a_tunnel_is_found_in_its_second_window(stream: Stream, past: int) -> None:
    settle(stream, past)
    rng = random.Random(1)
    found = [minute(stream, carried(rng, 40)) for _ in range(2)]
    assert severities(found) == ["warning"]
    (finding,) = found[1]
    assert finding.key == "pkg-mirror.cc"
    assert finding.observed == pytest.approx(80, rel=0.4)
    assert "47 characters below the domain" in finding.description
    assert [peer.workload for peer in finding.peers] == ["pkg-mirror.cc"]


@pytest.mark.parametrize("suffix", [".", ".shop.svc.cluster.local."])
def test_whose_an_ipv6_address_is_may_be_asked_for_each_client(stream: Stream, suffix: str) -> None:
    settle(stream)
    rng = random.Random(4)

    def reverse() -> str:
        return ".".join(rng.choice("0123456789abcdef") for _ in range(32)) + ".ip6.arpa"

    for _ in range(8):
        assert minute(stream, [reverse() + suffix for _ in range(40)]) == []
    hidden = [f"{label(rng)}.{reverse()}." for _ in range(40)]
    found = [minute(stream, hidden[:20]), minute(stream, hidden[20:])]
    assert [finding.key for findings in found for finding in findings] == ["ip6.arpa"]


def test_a_slow_tunnel_is_found_too(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(2)
    found = severities([minute(stream, carried(rng, 4)) for _ in range(30)])
    assert "warning" in found


def test_a_tunnel_that_goes_on_becomes_critical_and_stays_found(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(3)
    found = [minute(stream, carried(rng, 60)) for _ in range(150)]
    assert severities(found)[9] == "critical"
    assert all(found[1:])


def test_a_name_that_ran_through_the_search_list_counts_once(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(4)
    for _ in range(4):
        names = [name.rstrip(".") for name in carried(rng, 5)]
        suffixes = ("", ".shop.svc.cluster.local", ".svc.cluster.local", ".cluster.local")
        assert minute(stream, [f"{name}{suffix}." for name in names for suffix in suffixes]) == []


CLOUD = "eu-west-1.compute.internal"
"""A domain that nodes of a cloud hand down to their pods' search lists."""


def test_any_domain_of_the_search_list_makes_no_new_names(stream: Stream) -> None:
    settle(stream)
    for number in range(20):
        hosts = [f"www.a-site-of-its-own-{number}-{n}.com" for n in range(10)]
        asked = [f"{host}{suffix}." for host in hosts for suffix in (f".{CLOUD}", "")]
        assert minute(stream, asked, answered=hosts) == []


def test_an_answered_name_in_front_hides_no_tunnel(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(10)
    found = []
    for _ in range(4):
        hidden = [f"example.com.{name}" for name in carried(rng, 20)]
        found.append(minute(stream, [*hidden, "example.com."], answered=["example.com"]))
    assert {finding.key for findings in found for finding in findings} == {"pkg-mirror.cc"}


def test_letters_written_large_at_random_are_no_new_names(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(5)
    name = f"{label(rng)}.example.com"
    for _ in range(40):
        mixed = {"".join(rng.choice((c, c.upper())) for c in name) for _ in range(20)}
        assert minute(stream, mixed) == []


def test_the_same_long_names_again_and_again_are_no_tunnel(stream: Stream) -> None:
    settle(stream)
    names = carried(random.Random(6), 80)
    assert [minute(stream, names) for _ in range(90)] == [[]] * 90


def test_many_short_names_are_no_tunnel(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(7)
    found = [minute(stream, carried(rng, 100, length=8)) for _ in range(10)]
    assert found == [[]] * 10


def test_long_names_under_many_domains_are_no_tunnel(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(8)
    for number in range(10):
        names = [f"{label(rng)}.site-{number}-{n}.com." for n in range(100)]
        assert minute(stream, names) == []


def test_what_it_keeps_is_bounded(stream: Stream) -> None:
    rng = random.Random(9)
    for number in range(30):
        minute(stream, [f"{label(rng)}.d-{number}-{n}.com." for n in range(9) for _ in range(9)])
    slot = stream.memory.subject(CART).slots["dns-anomaly"]
    assert len(slot) <= 4
    assert all(len(numbers) <= 40 for numbers in slot.values())


def test_lookups_that_fail_as_they_did_not_before_are_found_in_the_second_window(
    stream: Stream,
) -> None:
    settle(stream)
    found = [minute(stream, failures=90, queries=100) for _ in range(2)]
    assert severities(found) == ["warning"]
    (finding,) = found[1]
    assert finding.key == "failures"
    assert finding.summary.startswith("90% of the look-ups of shop/cart fail")
    assert finding.expected == pytest.approx(40, abs=2)


def test_one_window_of_failures_is_quiet(stream: Stream) -> None:
    settle(stream)
    found = [minute(stream, failures=bad, queries=100) for bad in (90, 40, 40, 90, 40, 40)]
    assert found == [[]] * 6


def test_more_lookups_with_the_usual_share_of_failures_are_quiet(stream: Stream) -> None:
    settle(stream)
    assert [minute(stream, failures=400, queries=1_000) for _ in range(5)] == [[]] * 5


def test_failures_of_a_subject_without_a_past_are_quiet(stream: Stream) -> None:
    assert [minute(stream, failures=90, queries=100) for _ in range(8)] == [[]] * 8


def test_failures_in_incomplete_windows_are_quiet(stream: Stream) -> None:
    settle(stream)
    for _ in range(5):
        assert minute(stream, failures=90, queries=100, completeness=seen(0.5)) == []
