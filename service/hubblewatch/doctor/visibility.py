"""What a sample of flows shows: losses, policy verdicts, and application records."""

from __future__ import annotations

from hubblewatch.doctor.result import CheckResult, failed, passed, skipped, warned
from hubblewatch.settings import FlowFilterSettings, HubbleSettings
from hubblewatch.source.hubble.survey import FlowSample

LOSSES, POLICIES, LAYER7 = "hubble.losses", "hubble.policy-verdicts", "hubble.l7"

MIN_FLOWS = 50
"""Of fewer flows nothing is concluded."""

NOTABLE_LOSS = 0.01
_OWN_RING = "HUBBLE_RING_BUFFER"
_POLICY_VERDICT = 5


def check_losses(sample: FlowSample) -> CheckResult:
    """Losses of the kernel and of the agent; those of the ring are about this reading only."""
    flows = len(sample.flows)
    if sample.rejected:
        return failed(
            LOSSES,
            f"{sample.rejected} of {flows + sample.rejected} messages could not be read",
            "is it Hubble that answers there? else please report it with Hubble's version",
        )
    lost = {source: count for source, count in sample.lost.items() if source != _OWN_RING}
    count = sum(lost.values())
    if not flows and not count:
        return skipped(LOSSES, "no flow came")
    share = count / (count + flows)
    what = f"{count:,} events lost beside {flows:,} flows read"
    if share >= NOTABLE_LOSS:
        named = ", ".join(f"{source} {number:,}" for source, number in lost.items())
        return warned(
            LOSSES,
            f"{what} ({share:.1%}): {named}",
            "the nodes are overloaded: use Cilium's monitor aggregation, give the agents more "
            "CPU, or raise hubble.eventQueueSize; windows with loss judge less",
        )
    return passed(LOSSES, what)


def check_policy_verdicts(sample: FlowSample, hubble: HubbleSettings) -> CheckResult:
    """Only policy verdicts carry the names of policies."""
    flows = len(sample.flows)
    if flows < MIN_FLOWS:
        return skipped(POLICIES, f"only {flows} flows came, too few to tell")
    count = sum(
        flow.event_type is not None and flow.event_type.type == _POLICY_VERDICT
        for flow in sample.flows
    )
    if not count:
        return warned(
            POLICIES,
            f"no policy verdict among {flows:,} flows: alerts on denials name no policy, and "
            "who opened a connection is less certain",
            "check that network policies apply, and Cilium's bpf.events.policyVerdict.enabled"
            + _filtered(hubble),
        )
    return passed(POLICIES, f"{count / flows:.1%} of {flows:,} flows are policy verdicts")


def check_layer7(sample: FlowSample, hubble: HubbleSettings) -> CheckResult:
    """DNS and HTTP are seen only where a policy sends them through Cilium's proxy."""
    flows = len(sample.flows)
    if flows < MIN_FLOWS:
        return skipped(LAYER7, f"only {flows} flows came, too few to tell")
    records = [flow.l7 for flow in sample.flows if flow.l7 is not None]
    dns = sum(record.dns is not None for record in records)
    share = f"{len(records) / flows:.1%} of {flows:,} flows have application records, {dns:,} DNS"
    if not dns:
        return warned(
            LAYER7,
            f"{share}: the DNS detector sees nothing, and destinations outside the cluster are "
            "known by address only",
            "let pods resolve through Cilium's DNS proxy: a CiliumNetworkPolicy with rules.dns "
            "on port 53" + _filtered(hubble),
        )
    return passed(LAYER7, share)


def _filtered(hubble: HubbleSettings) -> str:
    nothing = FlowFilterSettings()
    if hubble.only == nothing and hubble.without == nothing:
        return ""
    return "; hubble.only or hubble.without may also hide them"
