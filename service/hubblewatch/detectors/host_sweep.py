"""``host-sweep``: a subject tries one address after another.

Signal: within five windows at least fifteen addresses on one port (thirty on different ports) that
did not let it in, on edges along which the subject never had a success, and no more successes than
failures among what it tries on that port now. Known partners that fail, as when a node is lost, do
not count: there was a success before.

Defaults: as for ``port-scan``. Only outbound: seen from the inside, many outside addresses that
fail are an outage of the workload itself.

Known false positives: approved scanners and discovery agents; crawlers, mail servers and
peer-to-peer nodes, which have always many partners that do not answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from pydantic import Field

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import TRIAL_WINDOWS, SubjectMemory, split_trial
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Finding, Reason, Severity, Unnamed, began, shown_evidence
from hubblewatch.detectors.wording import listed, name_of, span_of
from hubblewatch.window.closed import INBOUND, ClosedWindow
from hubblewatch.window.closing import Closing

_PORTS_SHOWN = 5


class HostSweepSettings(Block):
    """How many addresses are many."""

    enabled: bool = True
    addresses: int = Field(
        15, ge=3, description="Addresses that let nothing in on one port, within five windows."
    )
    any_port_factor: float = Field(
        2.0, ge=1, description="So many times more when they are tried on different ports."
    )
    critical_addresses: int = Field(100, ge=3, description="So many of them are critical.")


class _Sweep(Struct):
    ports: set[int]
    addresses: set[str]

    @property
    def where(self) -> str:
        return f"port {min(self.ports)}" if len(self.ports) == 1 else f"{len(self.ports)} ports"


class HostSweep:
    """Finds sweeps; one finding a subject, which names the port with the most addresses."""

    name = "host-sweep"

    def __init__(self, settings: HostSweepSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each subject that sweeps."""
        for window in closing.windows:
            if not window.refused or window.subject.direction == INBOUND:
                continue
            past = memory.subject(window.subject)
            if len(past.tried) >= self._settings.addresses:
                sweep = self._sweep(window, past)
                if sweep is not None:
                    yield self._finding(window, past, sweep)

    def _sweep(self, window: ClosedWindow, past: SubjectMemory) -> _Sweep | None:
        by_port: dict[int, set[str]] = {}
        for key, trial in past.tried.items():
            if trial.stranger:
                contact = split_trial(key)
                by_port.setdefault(contact.port, set()).add(contact.address)
        if not by_port:
            return None
        port = max(by_port, key=lambda port: (len(by_port[port]), -port))
        if len(by_port[port]) >= self._settings.addresses:
            sweep = _Sweep({port}, by_port[port])
        else:
            sweep = _Sweep(set(by_port), set().union(*by_port.values()))
            if len(sweep.addresses) < self._settings.addresses * self._settings.any_port_factor:
                return None
        failed = succeeded = 0
        for contact in window.contacts:
            if contact.port in sweep.ports:
                if contact in window.refused:
                    failed += 1
                else:
                    succeeded += 1
        return sweep if failed and failed >= succeeded else None

    def _finding(self, window: ClosedWindow, past: SubjectMemory, sweep: _Sweep) -> Finding:
        subject = window.subject
        edges = {e for c, e in window.refused.items() if c.port in sweep.ports}
        peers, evidence, unnamed = shown_evidence(window, "unsuccessful", edges.__contains__)
        ports = sorted(sweep.ports)
        if len(ports) > _PORTS_SHOWN:
            unnamed = Unnamed(unnamed.peers, True)
        number = len(sweep.addresses)
        return Finding(
            detector=self.name,
            severity=(
                Severity.CRITICAL
                if number >= self._settings.critical_addresses
                else Severity.WARNING
            ),
            subject=subject,
            observed=float(number),
            expected=0.0,
            unit="addresses",
            summary=(
                f"{name_of(subject)} tried {number:,} addresses on {sweep.where} within "
                f"{span_of(window, TRIAL_WINDOWS)} without being let in; it never had a success "
                "with any of them"
            ),
            description=(
                f"Among them {listed(sorted(sweep.addresses))}. Most frequent now: "
                f"{listed(evidence.edges, 3)}. Trying the same door at one house after another is "
                "how a worm or an intruder looks for the next victim."
            ),
            recommendation=(
                "If no approved scanner or discovery agent runs there, treat the pod as "
                "compromised: keep it for examination, cut its egress with a policy, and look at "
                "what it did reach. What is approved belongs in the suppressions."
            ),
            reasons=[Reason("refused_addresses", float(number), 0.0, 1.0)],
            score=number / self._settings.addresses,
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, TRIAL_WINDOWS),
            ports=ports[:_PORTS_SHOWN],
            baseline=str(past.state),
        )
