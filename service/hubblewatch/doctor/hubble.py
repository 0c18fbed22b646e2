"""Is Hubble reached, are its nodes there, and does it show what detection needs?"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from hubblewatch.doctor.result import CheckResult, failed, passed, skipped, told, warned
from hubblewatch.doctor.visibility import (
    LAYER7,
    LOSSES,
    POLICIES,
    check_layer7,
    check_losses,
    check_policy_verdicts,
)
from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import FlowFilterSettings, HubbleSettings, Settings
from hubblewatch.source.hubble.certificate import ServerCertificate, server_certificate
from hubblewatch.source.hubble.survey import FlowSample, HubbleSurvey, ServerReport
from hubblewatch.source.hubble.trouble import HubbleTroubleError

CONNECTION, TLS, NODES = "hubble.connection", "hubble.tls", "hubble.nodes"
RING, CLOCK = "hubble.ring", "hubble.clock"
AFTER_CONNECTION = (NODES, RING, LOSSES, POLICIES, LAYER7, CLOCK)

SAMPLE_FLOWS = 2_000
SAMPLE_SECONDS = 5.0
RATE_SECONDS = 2.0
"""How far apart the two looks at the flows seen are, at least."""

SHORT_RING_SECONDS = 30.0
"""A ring that holds less loses flows when an exporter restarts."""

AHEAD_SECONDS, BEHIND_SECONDS = 2.0, 30.0
BUSY_RATE = 1.0
"""Flows a second above which the newest one must be young."""

EXPIRY_DAYS = 14


class Survey(Protocol):
    """Who is asked; the real one is HubbleSurvey."""

    def status(self) -> ServerReport:
        """Give Hubble's word on itself; raise HubbleTroubleError."""
        ...

    def sample(
        self, number: int, seconds: float, nodes: int = 1, only: FlowFilterSettings | None = None
    ) -> FlowSample:
        """Give some of the last flows; raise HubbleTroubleError."""
        ...


class HubbleTools(Struct, frozen=True):
    """What the checks reach out with; ``clock`` is epoch seconds, ``steady`` never jumps."""

    survey: Callable[[HubbleSettings], AbstractContextManager[Survey]] = HubbleSurvey
    certificate: Callable[[HubbleSettings], ServerCertificate] = server_certificate
    clock: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    pause: Callable[[float], object] = time.sleep


def is_hubble_set(settings: Settings) -> bool:
    """Tell whether an address was given; the default one may mean nothing here."""
    return "address" in settings.hubble.model_fields_set


def check_hubble(settings: Settings, tools: HubbleTools) -> list[CheckResult]:
    """Run all checks of Hubble; what needs a connection is skipped without one."""
    if not is_hubble_set(settings):
        why = "hubble.address is not set"
        return [
            skipped(CONNECTION, why, "set it to look at Hubble too"),
            *(skipped(check, why) for check in (TLS, *AFTER_CONNECTION)),
        ]
    hubble = settings.hubble
    results = []
    try:
        with tools.survey(hubble) as survey:
            before, began = survey.status(), tools.steady()
            server = f"Hubble {before.version}" if before.version else "Hubble"
            results.append(passed(CONNECTION, f"{server} answers at {hubble.address}"))
            results.append(check_tls(hubble, tools))
            sample = survey.sample(SAMPLE_FLOWS, SAMPLE_SECONDS, len(before.rings))
            now = tools.clock()
            tools.pause(max(0.0, RATE_SECONDS - (tools.steady() - began)))
            after, seconds = survey.status(), tools.steady() - began
    except (HubbleTroubleError, ConfigurationError) as error:
        if not results:
            return [
                told(CONNECTION, error),
                check_tls(hubble, tools),
                *(skipped(check, "there is no connection") for check in AFTER_CONNECTION),
            ]
        what = told(LOSSES, error)
        others = (NODES, RING, POLICIES, LAYER7, CLOCK)
        return [*results, what, *(skipped(check, "Hubble stopped answering") for check in others)]
    rates = flow_rates(before, after, seconds)
    return [
        *results,
        check_nodes(after),
        check_ring(after, rates),
        check_losses(sample),
        check_policy_verdicts(sample, hubble),
        check_layer7(sample, hubble),
        check_clock(sample, now, sum(rates.values())),
    ]


def check_tls(hubble: HubbleSettings, tools: HubbleTools) -> CheckResult:
    """Which name was looked for in the certificate, and how long it is valid."""
    if not hubble.tls.enabled:
        return skipped(TLS, "hubble.tls.enabled is false: flows come unencrypted")
    if hubble.address.startswith("unix:"):
        return skipped(TLS, "a socket of this machine has no name to check")
    try:
        found = tools.certificate(hubble)
    except (HubbleTroubleError, ConfigurationError) as error:
        return told(TLS, error)
    days = (found.not_after - tools.clock()) / 86_400
    what = f"certificate for {', '.join(found.names[:5])} fits {found.checked_name}, "
    if days < EXPIRY_DAYS:
        return warned(TLS, f"{what}and expires in {days:.1f} days", "see to its renewal")
    return passed(TLS, f"{what}valid for {days:.0f} days")


def check_nodes(report: ServerReport) -> CheckResult:
    """Flows of nodes that Relay does not reach are missing."""
    if report.connected is None:
        return passed(NODES, "an agent: the flows are those of its own node")
    if not report.connected:
        remedy = "check that the agents run with hubble.enabled, and hubble.tls of both sides"
        return failed(NODES, "Relay reaches no node", remedy)
    if report.unavailable:
        names = ", ".join(report.unavailable_nodes[:5]) or "unnamed"
        return warned(
            NODES,
            f"{report.connected} nodes connected, {report.unavailable} unavailable: {names}",
            "check the Cilium agents there, and that Relay reaches their port 4244",
        )
    return passed(NODES, f"{report.connected} nodes connected, none unavailable")


def flow_rates(before: ServerReport, after: ServerReport, seconds: float) -> dict[str, float]:
    """Give each node's flows a second between two looks; of a node that is new its mean rate."""
    former = {ring.node: ring.seen_flows for ring in before.rings}
    rates = {}
    for ring in after.rings:
        grown = ring.seen_flows - former.get(ring.node, ring.seen_flows + 1)
        if grown >= 0 and seconds > 0:
            rates[ring.node] = grown / seconds
        elif ring.uptime_seconds > 0:
            rates[ring.node] = ring.seen_flows / ring.uptime_seconds
    return rates


def check_ring(report: ServerReport, rates: dict[str, float]) -> CheckResult:
    """How many seconds the fullest ring holds: so long an exporter may be away without loss."""
    holds = {
        ring.node: ring.max_flows / rates[ring.node]
        for ring in report.rings
        if ring.max_flows and rates.get(ring.node)
    }
    total = sum(rates.values())
    if not holds:
        return passed(RING, "no flow came meanwhile: the ring holds all for long")
    node = min(holds, key=holds.__getitem__)
    seconds = holds[node]
    of_node = f" of {node}" if node else ""
    what = f"{total:,.1f} flows/s; the ring{of_node} holds {seconds:,.0f} s of flows"
    if seconds < SHORT_RING_SECONDS:
        return warned(
            RING,
            f"{what}: an exporter that is away for longer loses flows",
            "raise Cilium's hubble.eventBufferCapacity (up to 65535), or read agents directly",
        )
    return passed(RING, what)


def check_clock(sample: FlowSample, now: float, rate: float) -> CheckResult:
    """Compare the newest flow's time with this machine's."""
    if not sample.newest_ns:
        return skipped(CLOCK, "no flow came to compare with")
    ahead = sample.newest_ns / 1e9 - now
    remedy = "let all nodes and this machine take their time from NTP"
    if ahead > AHEAD_SECONDS:
        what = f"the newest flow is {ahead:,.1f} s in the future of this machine"
        return warned(CLOCK, what, remedy)
    if not sample.is_complete:
        return skipped(CLOCK, "the newest flow did not come in time to compare with")
    if -ahead > BEHIND_SECONDS and rate > BUSY_RATE:
        what = f"{rate:,.0f} flows/s, yet the newest is {-ahead:,.0f} s old by this machine's clock"
        return warned(CLOCK, what, remedy)
    return passed(CLOCK, f"the newest flow is {max(0.0, -ahead):,.1f} s old")
