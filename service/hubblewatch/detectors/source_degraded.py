"""``source-degraded``: the service sees only a part of what happens.

Signal: events that are reported as lost (by Hubble, the source or an exporter), flows that had no
room in the table of connections, and gaps in the heartbeats leave less than 90 % of the traffic
visible, or less than 80 % of one node's, in two windows in a row (warning; under 50 % critical);
several nodes silent with half of the usual events (warning); one node silent, or a notable share of
late lines (info). The subject is the stream itself: no namespace, no workload.

Defaults: a tenth unseen is what counts and shares are off by; alerts that compare with the usual
hold up to there.

Known false positives: a node that is drained or scaled away (info, for a quarter of an hour).
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from hubblewatch.attempt.intake import CONNECTION_TABLE
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import StreamRecent
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Evidence, Finding, Reason, Severity
from hubblewatch.detectors.wording import counted, listed
from hubblewatch.window.closed import OUTBOUND, Subject
from hubblewatch.window.closing import Closing
from hubblewatch.window.completeness import EXPORTER_BUFFER, STREAM_GAP

STREAM = Subject("", "", OUTBOUND)
_WINDOWS = 2
_MAX_NODES = 10
_REMEDIES = {
    "PERF_EVENT_RING_BUFFER": "the node makes more events than its agent reads: raise Cilium's "
    "monitor aggregation or bpf.events rate limits, or give the agent more CPU",
    "OBSERVER_EVENTS_QUEUE": "Hubble in the agent is too slow: raise hubble.eventQueueSize or give "
    "the agent more CPU",
    "HUBBLE_RING_BUFFER": "the reader is too slow: raise hubble.eventBufferCapacity, or run an "
    "exporter on each node",
    EXPORTER_BUFFER: "Kafka was away for longer than the exporter's spool lasts, or takes records "
    "too slowly: look at Kafka, and raise export.spool.max_mib",
    STREAM_GAP: "what came while nothing was read had gone from Hubble or its files by then, and "
    "is estimated: raise hubble.eventBufferCapacity, or keep more or larger backups of the files",
    CONNECTION_TABLE: "more connections began than there is room for, as in a flood or a scan: see "
    "which subjects have the most attempts, and if such is usual and memory allows, raise "
    "window.max_connections",
}
_TOLD_GAP = 0.005
"""Less of the heartbeats is 0 % when rounded."""


class SourceDegradedSettings(Block):
    """From when on the view is too poor."""

    enabled: bool = True
    completeness: float = Field(0.9, gt=0, le=1, description="Visible share below which to warn.")
    node_completeness: float = Field(0.8, gt=0, le=1, description="The same for a single node.")
    critical_completeness: float = Field(0.5, gt=0, le=1, description="Share for critical.")
    lost_events: int = Field(
        50, ge=1, description="Lost events a window below which shares mean nothing."
    )
    silent_share: float = Field(
        0.5, gt=0, le=1, description="Share of usual events of several silent nodes to warn at."
    )
    late_share: float = Field(0.05, gt=0, le=1, description="Share of late lines to record.")


class SourceDegraded:
    """Watches the stream itself."""

    name = "source-degraded"

    def __init__(self, settings: SourceDegradedSettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give findings about losses, silent nodes and late lines."""
        recent = [r for r in memory.stream.recent if r.number > closing.number - _WINDOWS]
        if len(recent) == _WINDOWS:
            if all(self._loses(r) for r in recent):
                yield self._losses(closing, recent)
            share = self._settings.silent_share
            if all(r.silent_nodes > 1 and r.silent_share >= share for r in recent):
                yield self._blind(closing, recent[-1])
        for node in closing.completeness.silent_nodes[:_MAX_NODES]:
            yield self._silent(closing, node)
        events = sum(closing.events.values())
        if closing.late >= self._settings.lost_events and (
            closing.late >= self._settings.late_share * (events + closing.late)
        ):
            yield self._late(closing, events)

    def _loses(self, recent: StreamRecent) -> bool:
        settings = self._settings
        if recent.kept >= settings.completeness and not self._poor_nodes(recent):
            return False
        return recent.lost >= settings.lost_events or recent.gap > 1 - settings.completeness

    def _poor_nodes(self, recent: StreamRecent) -> list[str]:
        most = 1 - self._settings.node_completeness
        return sorted(node for node, share in recent.node_loss.items() if share > most)

    def _losses(self, closing: Closing, recent: list[StreamRecent]) -> Finding:
        settings = self._settings
        last = recent[-1]
        is_critical = all(r.kept < settings.critical_completeness for r in recent)
        nodes = self._poor_nodes(last)
        where = ""
        if nodes:
            most = 1 - settings.node_completeness
            where = f" On {listed(nodes)} more than {most:.0%} is missing."
        if last.kept < settings.completeness:
            kept, least, of_whom, feature = last.kept, settings.completeness, "", "completeness"
            visible = f"Only {kept:.0%} of the network traffic is visible"
        else:
            # All in all enough is seen; what is said must be said of the nodes alone.
            kept, least = 1 - max(last.node_loss.values()), settings.node_completeness
            of_whom, feature = "a node's ", "node_completeness"
            visible = (
                f"Only {kept:.0%} of the traffic of node {nodes[0]} is visible"
                if len(nodes) == 1
                else f"Less than {least:.0%} of the traffic of {len(nodes)} nodes is visible"
            )
        return self._finding(
            Severity.CRITICAL if is_critical else Severity.WARNING,
            "losses",
            round(100 * kept, 1),
            100.0,
            f"% of {of_whom}traffic seen",
            f"{visible}: {', '.join(_what_is_missing(closing, last))} in the last window",
            f"Lost by {listed(_sources(closing, last))}.{where} While this lasts counts are too "
            "low, absence proves nothing, and below the completeness floor baselines do not learn.",
            " ".join(_remedies(closing, last)),
            Reason(feature, kept, least, 1.0),
            [
                f"{node} lost {count:,} ({source})" if node else f"{count:,} lost ({source})"
                for (node, source), count in _most(closing)
            ],
        )

    def _blind(self, closing: Closing, last: StreamRecent) -> Finding:
        nodes = closing.completeness.silent_nodes
        return self._finding(
            Severity.WARNING,
            "silent",
            float(last.silent_nodes),
            0.0,
            "silent nodes",
            f"{counted(last.silent_nodes, 'node')} with {last.silent_share:.0%} of the usual "
            "events fell silent",
            f"No events from {listed(nodes)}. Either the cluster lost them, or their Hubble, Relay "
            "or the exporter stopped. What happens there is not seen.",
            "Check the nodes (kubectl get nodes), the Cilium agents on them, Hubble Relay "
            "(hubble status), and the exporter.",
            Reason("silent_share", last.silent_share, 0.0, 0.0),
            nodes[:_MAX_NODES],
        )

    def _silent(self, closing: Closing, node: str) -> Finding:
        share = closing.completeness.silent_share
        return self._finding(
            Severity.INFO,
            f"node:{node}",
            0.0,
            1.0,
            "events",
            f"Node {node} sends no events any more",
            f"Silent nodes usually make {share:.0%} of all events. The node is gone, or its Hubble "
            "is. Connections to its pods may fail meanwhile; connectivity errors are not reported "
            "while a node is silent.",
            f"See whether the node is there (kubectl get node {node.rpartition('/')[2]}), whether "
            "its Cilium agent runs, and whether Relay knows it (hubble list nodes).",
            Reason("silent_share", share, 0.0, 0.0),
            [node],
        )

    def _late(self, closing: Closing, events: int) -> Finding:
        return self._finding(
            Severity.INFO,
            "late",
            float(closing.late),
            0.0,
            "late lines",
            f"{counted(closing.late, 'line')} came too late to be counted, and {events:,} in time",
            "Lines whose window has closed already are passed over, so counts are too low. A slow "
            "Relay, a shipper that batches, or clocks of nodes that differ make lines late.",
            "Compare the nodes' clocks (chronyc tracking); if the delay is steady, raise "
            "window.lateness_seconds above it.",
            Reason("late", float(closing.late), 0.0, self._settings.late_share * events),
            [],
        )

    def _finding(
        self,
        severity: Severity,
        key: str,
        observed: float,
        expected: float,
        unit: str,
        summary: str,
        description: str,
        recommendation: str,
        reason: Reason,
        edges: list[str],
    ) -> Finding:
        return Finding(
            detector=self.name,
            severity=severity,
            subject=STREAM,
            key=key,
            observed=observed,
            expected=expected,
            unit=unit,
            summary=summary,
            description=description,
            recommendation=recommendation,
            reasons=[reason],
            score=1 - reason.observed if reason.feature.endswith("completeness") else 0.0,
            evidence=Evidence(edges=edges),
        )


def _most(closing: Closing) -> list[tuple[tuple[str, str], int]]:
    return sorted(closing.lost.items(), key=lambda entry: (-entry[1], entry[0]))[:_MAX_NODES]


def _what_is_missing(closing: Closing, last: StreamRecent) -> list[str]:
    """Say of each kind of loss how much it took: only what Hubble reports is lost by Hubble."""
    by_exporter, unread = _lost_by(closing, EXPORTER_BUFFER), _lost_by(closing, STREAM_GAP)
    refused = _lost_by(closing, CONNECTION_TABLE)
    by_hubble = last.lost - by_exporter - unread - refused
    said = []
    if by_hubble > 0:
        said.append(f"Hubble lost {counted(by_hubble, 'event')}")
    if by_exporter:
        said.append(f"an exporter had no room for {counted(by_exporter, 'event')}")
    if unread:
        said.append(f"about {counted(unread, 'event')} came while nothing was read")
    if refused:
        said.append(f"{counted(refused, 'flow')} of new connections had no room here")
    if last.gap >= _TOLD_GAP:
        said.append(f"{last.gap:.0%} of the exporters' heartbeats are missing")
    return said


def _sources(closing: Closing, last: StreamRecent) -> list[str]:
    sources = sorted({source for _, source in closing.lost})
    return sources + ["gaps in the heartbeats"] * (last.gap >= _TOLD_GAP) or ["Hubble"]


def _remedies(closing: Closing, last: StreamRecent) -> list[str]:
    """Give a sentence for each source of losses."""
    said = []
    for source in sorted({source for _, source in closing.lost}):
        if source in _REMEDIES:
            said.append(f"{source}: {_REMEDIES[source]}.")
        else:
            nodes = sorted({node for node, other in closing.lost if other == source and node})
            whose = f" on {listed(nodes)}" if nodes else ""
            said.append(f"{source}: look at the logs of the Cilium agents{whose}.")
    if last.gap >= _TOLD_GAP:
        said.append(
            "Heartbeats are missing, so an exporter was away, or records were lost between it and "
            "the worker: look at its restarts, its log and its dropped-lines counter."
        )
    return said or ["Look at the logs of the Cilium agents."]


def _lost_by(closing: Closing, source: str) -> int:
    return sum(count for (_, other), count in closing.lost.items() if other == source)
