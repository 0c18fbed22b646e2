from __future__ import annotations

import pytest
from tests.closings import CART, Stream, attempts

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.finding import Finding
from hubblewatch.detectors.host_sweep import HostSweep, HostSweepSettings
from hubblewatch.detectors.port_scan import PortScan, PortScanSettings
from hubblewatch.window.closed import INBOUND, Subject

DOOR = Subject("shop", "web", INBOUND)


def port_scan() -> Stream:
    return Stream(PortScan(PortScanSettings()))


def host_sweep() -> Stream:
    return Stream(HostSweep(HostSweepSettings()))


def scan(
    stream: Stream,
    ports: range,
    address: str = "10.0.0.9",
    outcome: Outcome = Outcome.FAILED,
    subject: Subject = CART,
    to: str = "bank/ledger",
) -> None:
    for port in ports:
        attempts(stream.window(subject), 1, to, port, outcome=outcome, address=address)


def sweep(
    stream: Stream,
    hosts: range,
    port: int = 22,
    outcome: Outcome = Outcome.FAILED,
    step: int = 0,
) -> None:
    for host in hosts:
        address = f"10.0.1.{host}"
        attempts(stream.window(), 1, address, port + step * host, outcome=outcome, address=address)


@pytest.mark.parametrize("past", [0, 1, 60])
@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DENIED, Outcome.DROPPED])
def test_a_scan_is_found_whatever_stops_it(past: int, outcome: Outcome) -> None:
    stream = port_scan()
    stream.repeat(past)
    scan(stream, range(1, 201), outcome=outcome)
    (finding,) = stream.close()
    assert finding.severity.value == "critical"
    assert "shop/cart tried 200 ports of bank/ledger (10.0.0.9)" in finding.summary


def test_a_slow_scan_adds_up_over_five_windows() -> None:
    stream = port_scan()
    stream.repeat(60)
    found = []
    for number in range(5):
        scan(stream, range(100 + 3 * number, 103 + 3 * number))
        found.append(bool(stream.close()))
    assert found == [False] * 4 + [True]


def test_fourteen_ports_are_quiet() -> None:
    stream = port_scan()
    scan(stream, range(1, 15))
    assert stream.close() == []


def test_a_scan_slower_than_its_memory_is_quiet() -> None:
    stream = port_scan()
    for number in range(40):
        scan(stream, range(100 + number, 101 + number))
        assert stream.close() == []


def test_many_ports_that_answer_are_quiet() -> None:
    stream = port_scan()
    scan(stream, range(30_000, 30_050), outcome=Outcome.ALLOWED)
    scan(stream, range(30_050, 30_066))
    assert stream.close() == []


def test_ports_that_worked_before_and_fail_now_are_quiet() -> None:
    stream = port_scan()
    for _ in range(5):
        scan(stream, range(1, 31), outcome=Outcome.ALLOWED)
        assert stream.close() == []
    scan(stream, range(1, 31))
    assert stream.close() == []


def test_one_port_of_many_addresses_is_no_port_scan() -> None:
    stream = port_scan()
    sweep(stream, range(60))
    assert stream.close() == []


def test_several_scanned_peers_are_one_finding() -> None:
    stream = port_scan()
    scan(stream, range(1, 31), "10.0.0.9")
    scan(stream, range(1, 41), "10.0.0.10", to="bank/vault")
    (finding,) = stream.close()
    assert "40 ports of bank/vault (10.0.0.10) (and those of 1 other peer)" in finding.summary


def test_a_scan_from_outside_names_the_address() -> None:
    stream = port_scan()
    scan(stream, range(1, 31), "203.0.113.9", subject=DOOR, to="world")
    (finding,) = stream.close()
    assert "203.0.113.9 tried 30 ports of shop/web" in finding.summary
    assert [peer.workload for peer in finding.peers] == ["203.0.113.9"]
    assert "Block the address" in finding.recommendation


@pytest.mark.parametrize("past", [0, 1, 60])
def test_a_sweep_is_found(past: int) -> None:
    stream = host_sweep()
    stream.repeat(past)
    sweep(stream, range(20))
    (finding,) = stream.close()
    assert "shop/cart tried 20 addresses on port 22 within 5 minutes" in finding.summary
    assert finding.ports == [22]
    assert finding.severity.value == "warning"


def test_a_slow_sweep_adds_up_over_five_windows() -> None:
    stream = host_sweep()
    stream.repeat(60)
    found = []
    for number in range(5):
        sweep(stream, range(3 * number, 3 * number + 3))
        found.append(bool(stream.close()))
    assert found == [False] * 4 + [True]


def test_different_ports_need_twice_as_many_addresses() -> None:
    stream = host_sweep()
    sweep(stream, range(29), step=1)
    assert stream.close() == []
    sweep(stream, range(29, 31), step=1)
    (finding,) = stream.close()
    assert "31 addresses on 31 ports" in finding.summary


def test_known_partners_that_fail_are_quiet() -> None:
    """As when a node is lost: the same edges, old addresses and new ones."""
    stream = host_sweep()
    for _ in range(5):
        for host in range(40):
            attempts(stream.window(), 2, "bank/ledger", 5_432, address=f"10.0.1.{host}")
        assert stream.close() == []
    for _ in range(3):
        for host in range(80):
            attempts(
                stream.window(),
                2,
                "bank/ledger",
                5_432,
                outcome=Outcome.FAILED,
                address=f"10.0.1.{host}",
            )
        assert stream.close() == []


def test_a_known_partner_on_a_strange_port_counts() -> None:
    stream = host_sweep()
    for _ in range(5):
        for host in range(20):
            attempts(stream.window(), 2, f"bank/part-{host}", 5_432, address=f"10.0.1.{host}")
        assert stream.close() == []
    for host in range(20):
        attempts(
            stream.window(),
            1,
            f"bank/part-{host}",
            22,
            outcome=Outcome.DENIED,
            address=f"10.0.1.{host}",
        )
    assert len(stream.close()) == 1


def test_a_sweep_that_mostly_succeeds_is_quiet() -> None:
    stream = host_sweep()
    sweep(stream, range(100, 130), 443, Outcome.ALLOWED)
    sweep(stream, range(20), 443)
    assert stream.close() == []


def test_clients_from_outside_that_fail_are_no_sweep() -> None:
    stream = host_sweep()
    for host in range(60):
        address = f"203.0.113.{host}"
        attempts(stream.window(DOOR), 1, "world", 443, outcome=Outcome.FAILED, address=address)
    assert stream.close() == []


def test_edges_that_never_worked_are_strange_for_an_hour_only() -> None:
    stream = host_sweep()
    found: list[list[Finding]] = []
    for _ in range(70):
        sweep(stream, range(20), 443)
        found.append(stream.close())
    assert found[0]
    assert not found[-1]


@pytest.mark.parametrize("make", [port_scan, host_sweep])
def test_subjects_without_unsuccessful_contacts_are_not_looked_at(make: object) -> None:
    stream: Stream = make()  # type: ignore[operator]
    detector: Detector = stream.detector
    attempts(stream.window(), 1_000)
    assert stream.close() == []
    assert stream.detector is detector
    assert not stream.memory.subject(CART).tried
