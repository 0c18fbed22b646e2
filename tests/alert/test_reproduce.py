"""The command shows the flows that the alert is about: all of them, and no others."""

from __future__ import annotations

import shlex

import pytest
from tests.closings import CART, FIRST, SIZE, Stream, attempts, finding

from hubblewatch.alert.reproduce import observe_command
from hubblewatch.attempt.evidence import Outcome
from hubblewatch.detectors.finding import Finding, Unnamed
from hubblewatch.detectors.new_edge import NewEdge, NewEdgeSettings
from hubblewatch.detectors.policy_denials import PolicyDenials, PolicyDenialsSettings
from hubblewatch.detectors.port_scan import PortScan, PortScanSettings
from hubblewatch.detectors.silence import Silence, SilenceSettings
from hubblewatch.flow.timestamp import parse_seconds
from hubblewatch.window.closed import INBOUND, Subject

START = FIRST * SIZE


def command(of: Finding) -> str:
    return observe_command(of, START, START + SIZE)


def seconds_before(stream: Stream, of: Finding) -> int:
    """How long before the last window of a stream the command for what it gave begins."""
    start = (stream.number - 1) * SIZE
    words = shlex.split(observe_command(of, start, start + SIZE))
    return start - parse_seconds(words[words.index("--since") + 1])


def first_found(stream: Stream, minutes: int, act: object = None) -> Finding:
    """Let quiet minutes pass and then others, until the detector speaks."""
    stream.repeat(minutes)
    while True:
        if callable(act):
            attempts(stream.window(), 20)
            act(stream)
        found = stream.close()
        if found:
            return found[0]
        assert stream.number < FIRST + minutes + 20


def test_subject_verdict_and_time_narrow_it() -> None:
    assert command(finding(verdict="DROPPED", protocol="tcp", ports=[22])) == (
        "hubble observe --since 2026-03-02T08:00:00Z --until 2026-03-02T08:01:00Z "
        "--from-pod shop/cart --verdict DROPPED --protocol tcp --to-port 22"
    )
    inbound = Subject("shop", "cart", INBOUND)
    assert "--to-pod shop/cart" in command(finding(subject=inbound))
    assert "--namespace shop" in command(finding(subject=Subject("shop", "", "outbound")))


def test_names_are_quoted() -> None:
    odd = Subject("shop", "a; rm -rf ~", "outbound")
    assert "shop/a; rm -rf ~" in shlex.split(command(finding(subject=odd)))


@pytest.mark.parametrize(("ports", "shown"), [(5, 5), (6, 0)])
def test_ports_are_named_all_or_none(ports: int, shown: int) -> None:
    assert command(finding(ports=list(range(80, 80 + ports)))).count("--to-port") == shown


def test_ports_that_are_not_all_do_not_narrow_it() -> None:
    assert "--to-port" not in command(finding(ports=[53, 123], unnamed=Unnamed(ports=True)))


def test_an_incident_that_began_earlier_is_shown_whole() -> None:
    whole = observe_command(finding(since=START - 60), START - 540, START + 60)
    assert "--since 2026-03-02T07:51:00Z" in whole


def test_denials_of_ten_minutes_are_shown_from_the_first_of_them_on() -> None:
    stream = Stream(PolicyDenials(PolicyDenialsSettings()))
    found = first_found(
        stream, 70, lambda s: attempts(s.window(), 1, "bank/x", outcome=Outcome.DENIED)
    )
    assert "within 10 minutes" in found.summary
    assert seconds_before(stream, found) == 540


def test_a_scan_is_shown_with_its_earlier_windows() -> None:
    def scan(stream: Stream) -> None:
        for port in range(4):
            attempts(stream.window(), 1, "bank/x", 4 * stream.number % 1_000 + port + 1,
                     outcome=Outcome.FAILED, address="10.0.0.9")  # fmt: skip

    stream = Stream(PortScan(PortScanSettings()))
    assert seconds_before(stream, first_found(stream, 70, scan)) == 240


def test_new_peers_on_many_ports_are_all_shown() -> None:
    def meet(stream: Stream) -> None:
        for port in range(7):
            attempts(stream.window(), 1, f"bank/db{port}", 5_000 + port)

    assert "--to-port" not in command(first_found(Stream(NewEdge(NewEdgeSettings())), 100, meet))


def test_what_fell_silent_is_shown_as_it_was_before() -> None:
    stream = Stream(Silence(SilenceSettings()))
    found = first_found(stream, 100)
    assert found.subject == CART
    assert seconds_before(stream, found) == 180
