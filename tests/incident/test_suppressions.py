from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.closings import Stream, attempts, finding

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.external_egress import ExternalEgress, ExternalEgressSettings
from hubblewatch.detectors.finding import PeerRef, Severity
from hubblewatch.detectors.namespace_sprawl import NamespaceSprawl, NamespaceSprawlSettings
from hubblewatch.detectors.new_edge import NewEdge, NewEdgeSettings
from hubblewatch.detectors.policy_denials import PolicyDenials, PolicyDenialsSettings
from hubblewatch.detectors.port_scan import PortScan, PortScanSettings
from hubblewatch.errors import ConfigurationError
from hubblewatch.incident.suppression_list import parse_suppressions
from hubblewatch.incident.suppressions import NEVER_EXPIRES, DailyRange
from hubblewatch.window.closed import OUTBOUND, Subject

WHO = "expires: 2026-12-31\n  owner: platform\n  reason: known\n"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOON = at("2026-03-02T12:00:00")  # a Monday


def listed(fields: str) -> str:
    indented = "\n".join(f"  {line}" for line in fields.splitlines())
    return f"- name: one\n{indented}\n  {WHO}"


def mistake(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_suppressions(text, "list.yaml")
    return str(caught.value)


def test_an_entry_matches_when_all_its_fields_do() -> None:
    entries = parse_suppressions(
        listed("detector: policy-denials\nnamespace: shop\nworkload: cart")
    )
    other = Subject("shop", "stock", OUTBOUND)
    assert entries.match(finding(), NOON) == "one"
    assert entries.match(finding("udp-spike"), NOON) is None
    assert entries.match(finding(subject=other), NOON) is None


def test_patterns_are_those_of_a_shell_and_case_matters() -> None:
    entries = parse_suppressions(listed('namespace: "sh?p"\nworkload: "[bc]a*"'))
    assert entries.match(finding(), NOON) == "one"
    assert entries.match(finding(subject=Subject("Shop", "cart", OUTBOUND)), NOON) is None


def test_the_first_entry_that_matches_counts() -> None:
    text = listed("namespace: shop") + listed("workload: cart").replace("one", "two")
    assert parse_suppressions(text).match(finding(), NOON) == "one"


def test_a_peer_is_named_with_its_namespace() -> None:
    entries = parse_suppressions(listed('peer: "bank/*"'))
    assert entries.match(finding(peers=[PeerRef("ledger", "bank")]), NOON) == "one"
    assert entries.match(finding(peers=[PeerRef("ledger", "shop")]), NOON) is None
    assert entries.match(finding(), NOON) is None


def test_a_peer_outside_is_named_by_name_or_address() -> None:
    entries = parse_suppressions(listed('peer: "*.example.com"'))
    assert entries.match(finding(peers=[PeerRef("api.example.com")]), NOON) == "one"


def test_an_entry_for_one_peer_does_not_hide_another() -> None:
    entries = parse_suppressions(listed("peer: bank/ledger"))
    peers = [PeerRef("ledger", "bank"), PeerRef("vault", "bank")]
    assert entries.match(finding(peers=peers), NOON) is None


def test_ports_must_cover_all_that_the_finding_names() -> None:
    entries = parse_suppressions(listed("port: [443, 8443]"))
    assert entries.match(finding(peers=[PeerRef("a", "b", [443])]), NOON) == "one"
    assert entries.match(finding(ports=[443], peers=[PeerRef("a", "b", [22])]), NOON) is None
    assert entries.match(finding(), NOON) is None


def test_it_expires_after_its_last_day() -> None:
    entries = parse_suppressions(listed("namespace: shop"))
    assert entries.match(finding(), at("2027-01-01T00:00:00")) == "one"
    assert entries.match(finding(), at("2027-01-01T00:01:00")) is None
    assert entries.expired(at("2027-01-01T00:00:00")) == ["one"]


def test_never_is_a_way_to_expire() -> None:
    text = listed("namespace: shop").replace("2026-12-31", "never")
    assert parse_suppressions(text).entries[0].expires == NEVER_EXPIRES


def test_a_daily_range_holds_for_windows_inside_it() -> None:
    entries = parse_suppressions(listed("namespace: shop\ntime: 02:00-04:00"))
    assert entries.match(finding(), at("2026-03-02T02:00:00")) is None
    assert entries.match(finding(), at("2026-03-02T02:01:00")) == "one"
    assert entries.match(finding(), at("2026-03-02T04:00:00")) == "one"
    assert entries.match(finding(), at("2026-03-02T04:01:00")) is None


def test_a_range_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    nights = DailyRange(22 * 3_600, 4 * 3_600, frozenset({4}))  # from Friday
    assert nights.holds(at("2026-03-06T23:00:00"))
    assert nights.holds(at("2026-03-07T03:59:59"))
    assert not nights.holds(at("2026-03-06T03:00:00"))
    assert not nights.holds(at("2026-03-07T23:00:00"))
    assert not nights.holds(at("2026-03-06T12:00:00"))


def test_weekdays_limit_a_daily_range() -> None:
    entries = parse_suppressions(listed("namespace: shop\ntime: 00:00-24:00\nweekdays: [sat, Sun]"))
    assert entries.match(finding(), NOON) is None
    assert entries.match(finding(), at("2026-03-07T12:00:00")) == "one"


def test_it_holds_from_and_until_given_times() -> None:
    entries = parse_suppressions(
        listed("namespace: shop\nfrom: 2026-03-02T12:00:00Z\nuntil: 2026-03-02T14:00:00+01:00")
    )
    assert entries.match(finding(), NOON) is None
    assert entries.match(finding(), NOON + 60) == "one"
    assert entries.match(finding(), NOON + 3_600) == "one"
    assert entries.match(finding(), NOON + 3_660) is None


@pytest.mark.parametrize("text", ["", "[]", "suppressions: []", "suppressions:\n", "# none\n"])
def test_an_empty_list_suppresses_nothing(text: str) -> None:
    assert parse_suppressions(text).entries == ()


def test_the_list_may_stand_under_its_name() -> None:
    inner = "\n".join(f"  {line}" for line in listed("namespace: shop").splitlines())
    assert len(parse_suppressions(f"suppressions:\n{inner}\n").entries) == 1


@pytest.mark.parametrize(
    ("fields", "line", "words"),
    [
        ("workload: cart\nnamspace: shop", 3, "'namspace' is no field; did you mean namespace?"),
        ("workload: cart\nport: 70000", 3, "port must be a port of 1 to 65535"),
        ("workload: cart\nport: true", 3, "port must be a port of 1 to 65535"),
        ("workload: cart\nport: []", 3, "port names no port"),
        ("workload: cart\ntime: 2-4", 3, "time must be a UTC range such as 02:00-04:00"),
        ("workload: cart\ntime: 04:00-04:00", 3, "must begin and end at different times"),
        ("workload: cart\ntime: 04:00-24:30", 3, "at most at 24:00"),
        ("workload: cart\nweekdays: [mon]", 1, "weekdays need a time"),
        ("workload: cart\ntime: 02:00-04:00\nweekdays: mon-fri", 4, "must be a list of mon, tue"),
        ("workload: cart\nfrom: tomorrow", 3, "from must be a date such as 2026-12-31"),
        ("workload: cart\nfrom: 2026-13-45", 3, "from must be a date such as 2026-12-31"),
        ("workload: cart\nfrom: 2026-03-02\nuntil: 2026-03-01", 4, "later than from"),
        ("workload: 443", 2, "put numbers in quotes"),
        ("workload: ''", 2, "must be a text that is not empty"),
        ("workload: {a: b}", 2, "must be a text"),
        ("workload: cart\nworkload: cart", 3, "workload is given twice"),
        ("time: 02:00-04:00", 1, "would hide everything"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_remedy(fields: str, line: int, words: str) -> None:
    told = mistake(listed(fields))
    assert f"line {line}, entry 'one': " in told
    assert words in told


@pytest.mark.parametrize("field", ["expires", "owner", "reason"])
def test_who_why_and_until_when_are_required(field: str) -> None:
    text = "\n".join(
        line for line in listed("namespace: shop").splitlines() if f"{field}:" not in line
    )
    assert f"entry 'one': has no {field}" in mistake(text)


def test_all_mistakes_are_told_at_once() -> None:
    told = mistake("- detector: port-scan\n- name: two\n")
    for words in ("entry 1: has no name", "entry 1: has no owner", "entry 'two': has no reason"):
        assert words in told


def test_a_name_must_be_its_own() -> None:
    told = mistake(listed("namespace: shop") + listed("namespace: bank"))
    assert "the name 'one' is taken" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- name: [", "list.yaml, line 1: no valid YAML"),
        ("name: one\nowner: me", "must be a list of entries"),
        ("just text", "must be a list of entries"),
        ("- just text", "must be fields such as"),
        ("- !!python/object:os.system {}", "must be fields such as"),
        ("[" * 5_000, "no valid YAML"),
        ("\x00", "no valid YAML"),
    ],
)
def test_what_is_no_list_is_refused(text: str, words: str) -> None:
    if text.startswith("- !!"):
        words = "would hide everything"
    assert words in mistake(text)


def settled(detector: Detector) -> Stream:
    stream = Stream(detector)
    stream.repeat(200)
    return stream


def test_an_approved_target_with_many_ports_hides_no_scan_of_another() -> None:
    entries = parse_suppressions(listed("peer: lab/target"))
    alone, both = Stream(PortScan(PortScanSettings())), Stream(PortScan(PortScanSettings()))
    for stream in (alone, both):
        for port in range(1_000, 1_020):
            attempts(
                stream.window(), 1, "lab/target", port, outcome=Outcome.FAILED, address="10.0.0.9"
            )
    for port in range(1_000, 1_090):
        attempts(both.window(), 1, "payments/db", port, outcome=Outcome.DENIED, address="10.0.0.66")
    (approved,), (not_approved,) = alone.close(), both.close()
    assert entries.match(approved, NOON) == "one"
    assert [peer.workload for peer in not_approved.peers] == ["target"]
    assert entries.match(not_approved, NOON) is None


def test_an_approved_peer_that_is_denied_most_hides_no_other_denials() -> None:
    stream = settled(PolicyDenials(PolicyDenialsSettings()))
    for port in range(1_000, 1_010):
        attempts(stream.window(), 10, "lab/target", port, outcome=Outcome.DENIED)
    for number in range(20):
        attempts(stream.window(), 9, f"payments/db{number}", 5_432, outcome=Outcome.DENIED)
    (found,) = stream.close()
    assert parse_suppressions(listed("peer: lab/target")).match(found, NOON) is None
    ports = ", ".join(map(str, range(1_000, 1_010)))
    assert parse_suppressions(listed(f"port: [{ports}]")).match(found, NOON) is None


@pytest.mark.parametrize(
    ("detector", "peers", "approved"),
    [
        (NewEdge(NewEdgeSettings()), ("pay/db", "bank/ledger", "hr/people"), "hr/*"),
        (
            ExternalEgress(ExternalEgressSettings()),
            ("a.evil.net", "b.worse.net", "c.vendor.com"),
            "*.vendor.com",
        ),
    ],
)
def test_an_approved_peer_that_is_seen_last_hides_none_that_came_before(
    detector: Detector, peers: tuple[str, ...], approved: str
) -> None:
    stream = settled(detector)
    entries = parse_suppressions(listed(f'peer: "{approved}"'))
    told = []
    for number in range(9):
        attempts(stream.window(), 20)
        attempts(stream.window(), 2, peers[number % 3], 5_432)
        told += [found for found in stream.close() if found.severity is not Severity.INFO]
    assert {len(found.peers) for found in told} <= {2, 3}
    assert [entries.match(found, NOON) for found in told] == [None] * len(told)


def test_an_approved_port_that_is_used_last_hides_none_that_came_before() -> None:
    stream = settled(ExternalEgress(ExternalEgressSettings()))
    entries = parse_suppressions(listed("port: 443"))
    told = []
    for minute in range(9):
        attempts(stream.window(), 20)
        for host in ("a.evil.net", "b.worse.net", "c.other.org"):
            attempts(stream.window(), 2, host, 443 if minute else 4_444)
        told += [found for found in stream.close() if found.severity is not Severity.INFO]
    assert told[-1].peers[0].ports == [443, 4_444]
    assert [entries.match(found, NOON) for found in told] == [None] * len(told)


@pytest.mark.parametrize("entry", ["port: 443", 'peer: "team-*"'])
def test_many_approved_namespaces_hide_no_other(entry: str) -> None:
    stream = settled(NamespaceSprawl(NamespaceSprawlSettings()))
    entries = parse_suppressions(listed(entry))
    told = []
    for minute in range(3):
        attempts(stream.window(), 20)
        attempts(stream.window(), 2, "team-00/web", 443)
        if not minute:
            for number in range(1, 20):
                attempts(stream.window(), 2, f"team-{number:02d}/web", 443)
            for number in range(6):
                attempts(stream.window(), 2, f"vault-{number}/db", 5_432)
        told += stream.close()
    assert len(told) > 1
    assert [entries.match(found, NOON) for found in told] == [None] * len(told)
