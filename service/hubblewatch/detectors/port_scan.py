"""``port-scan``: a subject tries one port after another of one peer.

Signal: within five windows at least fifteen ports of one address that did not let it in (denied,
refused, unanswered or dropped), most of them ports on which it never had a success, and no more
successes than failures among the ports it tries now. Also inbound: one address outside of all pods
tries many ports of a workload.

Defaults: an application that looks for a service tries a handful of ports; fifteen different ones
that fail are a search.

Known false positives: vulnerability scanners that are meant to do it; peers with ever new dynamic
ports (FTP, RPC, media) that are down. UDP scans are found only where a policy denies them, for
Hubble does not show that a datagram went unanswered.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import TRIAL_WINDOWS, SubjectMemory, split_trial
from hubblewatch.block import Block
from hubblewatch.detectors.finding import (
    MAX_SHOWN,
    Finding,
    PeerRef,
    Reason,
    Severity,
    Unnamed,
    began,
    shown_evidence,
)
from hubblewatch.detectors.wording import counted, listed, name_of, span_of
from hubblewatch.window.closed import INBOUND, ClosedWindow, ContactKey
from hubblewatch.window.closing import Closing


class PortScanSettings(Block):
    """How many ports are many."""

    enabled: bool = True
    ports: int = Field(
        15, ge=3, description="Ports of one address that let nothing in, within five windows."
    )
    critical_ports: int = Field(100, ge=3, description="So many of them are critical.")


class _Scan(Struct):
    address: str
    ports: set[int]
    strange: int = 0


class PortScan:
    """Finds port scans; one finding a subject, which names the address with the most ports."""

    name = "port-scan"

    def __init__(self, settings: PortScanSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each subject that scans, or whose ports are scanned from outside."""
        for window in closing.windows:
            if not window.refused:
                continue
            past = memory.subject(window.subject)
            if len(past.tried) >= self._settings.ports:
                scans = self._scans(window, past)
                if scans:
                    yield self._finding(window, past, scans)

    def _scans(self, window: ClosedWindow, past: SubjectMemory) -> list[_Scan]:
        now = {contact.address for contact in window.refused}
        scans: dict[str, _Scan] = {}
        for key, trial in past.tried.items():
            contact = split_trial(key)
            if contact.address in now:
                scan = scans.setdefault(contact.address, _Scan(contact.address, set()))
                scan.ports.add(contact.port)
                scan.strange += trial.stranger
        many = [scan for scan in scans.values() if len(scan.ports) >= self._settings.ports]
        many = [scan for scan in many if scan.strange * 2 >= len(scan.ports)]
        if not many:
            return []
        failed, open_ports = _ports_now(window)
        many = [
            scan for scan in many if open_ports.get(scan.address, 0) <= failed.get(scan.address, 0)
        ]
        return sorted(many, key=lambda scan: (-len(scan.ports), scan.address))

    def _finding(self, window: ClosedWindow, past: SubjectMemory, scans: list[_Scan]) -> Finding:
        subject = window.subject
        scan = scans[0]
        inbound = subject.direction == INBOUND
        addresses = {scan.address for scan in scans}
        edges = {e for contact, e in window.refused.items() if contact.address in addresses}
        peers, evidence, unnamed = shown_evidence(window, "unsuccessful", edges.__contains__)
        scanned = _peer_at(window, scan.address)
        if inbound:
            peers = [PeerRef(s.address, "", sorted(s.ports)[:MAX_SHOWN]) for s in scans[:MAX_SHOWN]]
            unnamed = Unnamed(
                len(scans) > MAX_SHOWN, any(len(each.ports) > MAX_SHOWN for each in scans)
            )
            who = f"{scan.address} tried {counted(len(scan.ports), 'port')} of {name_of(subject)}"
        else:
            who = f"{name_of(subject)} tried {counted(len(scan.ports), 'port')} of {scanned}"
        more = f" (and those of {counted(len(scans) - 1, 'other peer')})" if len(scans) > 1 else ""
        critical = sum(len(scan.ports) for scan in scans) >= self._settings.critical_ports
        return Finding(
            detector=self.name,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            subject=subject,
            observed=float(len(scan.ports)),
            expected=0.0,
            unit="ports",
            summary=f"{who}{more} within {span_of(window, TRIAL_WINDOWS)} without being let in",
            description=(
                f"Among them {listed(map(str, sorted(scan.ports)), 10)}. They were denied by "
                "policy, refused, or unanswered, and most were never in use between the two. "
                "Trying port after port is how an intruder looks for a way on."
            ),
            recommendation=(
                "If no approved scanner runs there, treat the pod as compromised: keep it for "
                "examination, cut its egress with a policy, and look at what it reached before. "
                "An approved scanner belongs in the suppressions."
                if not inbound
                else "Block the address at the edge, and check which of the workload's ports are "
                "meant to be reachable from outside at all."
            ),
            reasons=[Reason("refused_ports", float(len(scan.ports)), 0.0, 1.0)],
            score=len(scan.ports) / self._settings.ports,
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, TRIAL_WINDOWS),
            baseline=str(past.state),
        )


def _ports_now(window: ClosedWindow) -> tuple[dict[str, int], dict[str, int]]:
    failed: dict[str, int] = {}
    succeeded: dict[str, int] = {}
    for contact in window.contacts:
        counts = failed if contact in window.refused else succeeded
        counts[contact.address] = counts.get(contact.address, 0) + 1
    return failed, succeeded


def _peer_at(window: ClosedWindow, address: str) -> str:
    contact: ContactKey = min(c for c in window.refused if c.address == address)
    peer = window.refused[contact].peer
    return peer if peer == address else f"{peer} ({address})"
