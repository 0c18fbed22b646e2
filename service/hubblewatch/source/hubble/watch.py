"""Watches over an open stream: it may be open and dead, or alive and lack a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from msgspec import Struct

from hubblewatch.flow.schema import Line
from hubblewatch.settings import FlowFilterSettings, HubbleSettings
from hubblewatch.source.hubble.channel import Metadata
from hubblewatch.source.hubble.continuity import Continuity
from hubblewatch.source.hubble.counts import NodeState, ReconnectReason, SourceCounts
from hubblewatch.source.hubble.node import EXPECTED_FLOWS, Node
from hubblewatch.source.hubble.patience import Patience
from hubblewatch.source.hubble.proto import observer_pb2, relay_pb2
from hubblewatch.source.hubble.trouble import HubbleTroubleError, MissingNodesError

STRIKES = 2
"""Checks in a row that must find the same trouble."""

UNREAD_FLOWS = 2
"""Growth of a node's flow count that shows flows: the newest one is not readable yet."""

FRESH_SECONDS = 60.0
FRESH_CHECK_SECONDS = 1.0
"""A stream that was opened on an empty ring brings nothing until the ring is full. So for some time
after a node began, it is asked often whether it has its first flow, to open the stream again."""

QUIET_SECONDS = 5.0
SUSPECT_CHECK_SECONDS = 5.0
"""A node that came to be quiet is looked at again soon: rings hold but seconds of a busy node."""


class _Seen(Struct):
    """What the check before found of a node: flows Hubble saw, flows that came, strikes."""

    seen: int
    came: int
    uptime_ns: int
    strikes: int = 0
    fresh_until: float = 0.0
    """Until then its ring may have been empty when the stream was opened; 0 if it was not."""


class Watch:
    """Asks Hubble on the stream's own channel whether it is alive, and compares what it saw.

    ``check`` is called often, and never waits. It gives lines on nodes whose state changed, and
    raises HubbleTroubleError when the stream has to be opened again.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        metadata: Metadata,
        settings: HubbleSettings,
        continuity: Continuity,
        patience: Patience,
        counts: SourceCounts,
    ) -> None:
        self.is_agent = False
        self.answered_at: float | None = None
        """When Hubble answered last, by the clock handed in."""
        self._metadata = metadata
        self._settings = settings
        nothing = FlowFilterSettings()
        self._is_filtered = settings.only != nothing or settings.without != nothing
        self._continuity = continuity
        self._patience = patience
        self._counts = counts
        self._nodes_call = _unary(channel, "GetNodes", observer_pb2.GetNodesResponse.FromString)
        self._status_call = _unary(
            channel, "ServerStatus", observer_pb2.ServerStatusResponse.FromString
        )
        self._answer: Any = None
        self._due: float | None = None
        self._failures = 0
        self._messages = 0
        self._seen: dict[str, _Seen] = {}
        self._starved: list[str] = []
        self._is_suspicious = False
        self._opened_ns = 0

    @property
    def has_failed(self) -> bool:
        """Whether the last question got no answer."""
        return self._failures > 0

    def check(self, now: float, now_ns: int, messages: int, is_behind: bool) -> list[Line]:
        """``messages`` came so far; ``is_behind`` if more of them wait to be read.

        ``now`` is a steady clock's, in seconds; ``now_ns`` the time of day.
        """
        self._opened_ns = self._opened_ns or now_ns
        if self._answer is None:
            if self._due is None or now >= self._due:
                self._ask()
                self._due = now + self._settings.check_seconds
            return []
        if not self._answer.done():
            return []
        answer, self._answer = self._answer, None
        code = answer.code()
        if code is grpc.StatusCode.UNIMPLEMENTED and not self.is_agent:
            self.is_agent = True
            self._ask()
            return []
        if code is not grpc.StatusCode.OK:
            return self._fail(answer, now, now_ns, messages)
        self._failures = 0
        self._starved = []
        self._is_suspicious = False
        told: list[Line] = []
        try:
            if self.is_agent:
                self._judge_agent(answer.result(), now, messages, is_behind)
            else:
                told = self._judge_nodes(answer.result(), now, now_ns, is_behind)
        finally:
            self.answered_at = now
            self._messages = messages
        if any(seen.fresh_until > now for seen in self._seen.values()):
            self._due = min(self._due or now, now + FRESH_CHECK_SECONDS)
        elif self._is_suspicious:
            self._due = min(self._due or now, now + SUSPECT_CHECK_SECONDS)
        return told

    def close(self) -> None:
        """Give up a question that is not answered yet."""
        if self._answer is not None:
            self._answer.cancel()

    def _ask(self) -> None:
        if self.is_agent:
            call, request = self._status_call, observer_pb2.ServerStatusRequest()
        else:
            call, request = self._nodes_call, observer_pb2.GetNodesRequest()
        self._answer = call.future(
            request.SerializeToString(),
            timeout=self._settings.check_timeout_seconds,
            metadata=self._metadata,
        )

    def _fail(self, answer: Any, now: float, now_ns: int, messages: int) -> list[Line]:
        self._counts.failed_checks += 1
        self._failures += 1
        is_silent = messages == self._messages
        self._messages = messages
        if self._failures >= STRIKES and is_silent:
            raise HubbleTroubleError(
                ReconnectReason.SILENT,
                f"nothing comes from Hubble at {self._settings.address}, and it does not answer: "
                f"{answer.code().name}",
            )
        self._due = now + min(1.0, self._settings.check_seconds)
        # One node that hangs makes Relay's answer wait for ever: find out which.
        silent = {
            name: f"nothing came for {round((now_ns - node.heard_ns) / 1e9)} s"
            for name, node in self._continuity.nodes.items()
            if node.state is NodeState.CONNECTED and self._ought_to_speak(node, now_ns)
        }
        return self._continuity.lose_sight(silent, NodeState.SILENT, now_ns)

    def _ought_to_speak(self, node: Node, now_ns: int) -> bool:
        quiet = (now_ns - node.heard_ns) / 1e9
        return (
            node.heard_ns > 0
            and quiet >= self._settings.check_seconds
            and quiet * node.usual_rate >= EXPECTED_FLOWS
        )

    def _judge_agent(
        self, status: observer_pb2.ServerStatusResponse, now: float, messages: int, is_behind: bool
    ) -> None:
        self._counts.server = status.version
        place = self._settings.address
        if self._is_unheard("", status, messages, now, is_behind) and self._patience.is_over(
            "", now
        ):
            raise HubbleTroubleError(
                ReconnectReason.STALLED,
                f"Hubble at {place} saw flows, but none came on the open stream",
            )
        if self._starved:
            raise HubbleTroubleError(
                ReconnectReason.EMPTY_RING, f"Hubble at {place} has its first flows"
            )

    def _judge_nodes(
        self, answer: observer_pb2.GetNodesResponse, now: float, now_ns: int, is_behind: bool
    ) -> list[Line]:
        continuity = self._continuity
        known = continuity.nodes
        by_short_name = {name.rpartition("/")[2]: name for name in known}
        troubled: dict[NodeState, dict[str, str]] = {
            NodeState.UNAVAILABLE: {},
            NodeState.ERROR: {},
            NodeState.GONE: {},
            NodeState.SILENT: {},
        }
        well = []
        hidden = []
        listed = set()
        for node in answer.nodes:
            self._counts.server = node.version or self._counts.server
            name = node.name
            if name not in known:
                name = by_short_name.get(name.rpartition("/")[2], name)
            listed.add(name)
            came = known[name].flows if name in known else 0
            is_met = name in self._seen
            if node.state == relay_pb2.NODE_UNAVAILABLE:
                troubled[NodeState.UNAVAILABLE][name] = "Relay has no connection to the node"
            elif node.state == relay_pb2.NODE_ERROR:
                troubled[NodeState.ERROR][name] = "the node does not answer Relay"
            elif self._is_unheard(name, node, came, now, is_behind, self._quiet(name, now_ns)):
                if self._is_filtered:
                    # Perhaps none of them passes: worth a new stream, but nothing to be told.
                    hidden.append(name)
                    well.append(name)
                else:
                    troubled[NodeState.SILENT][name] = "the node sees flows, but none of them came"
            elif is_met and not self._seen[name].strikes:
                # Not at the first answer: what the trouble cost has yet to be asked for.
                well.append(name)
        if answer.nodes:
            for name in known.keys() - listed:
                troubled[NodeState.GONE][name] = "Relay does not know the node any more"
                self._seen.pop(name, None)
        told = [line for name in well for line in continuity.regain(name, now_ns)]
        for state, names in troubled.items():
            told += continuity.lose_sight(names, state, now_ns)
        unheard = (*troubled[NodeState.SILENT], *hidden)
        worth = [name for name in unheard if self._patience.is_over(name, now)]
        continuity.owe((*worth, *self._starved), self._opened_ns)
        if worth:
            raise MissingNodesError(ReconnectReason.MISSING_NODE, worth, told)
        if self._starved:
            raise MissingNodesError(ReconnectReason.EMPTY_RING, self._starved, told)
        return told

    def _quiet(self, name: str, now_ns: int) -> float:
        """Give the seconds since a node was heard; 0 if it never was."""
        node = self._continuity.nodes.get(name)
        return (now_ns - node.heard_ns) / 1e9 if node is not None and node.heard_ns else 0.0

    def _is_unheard(
        self,
        name: str,
        status: observer_pb2.ServerStatusResponse | observer_pb2.Node,
        came: int,
        now: float,
        is_behind: bool,
        quiet_seconds: float = 0.0,
    ) -> bool:
        """Return whether flows were seen, but none came, in two checks one after the other."""
        seen = status.seen_flows
        before = self._seen.get(name)
        is_fresh = (
            status.num_flows == 0 or self.answered_at is not None
            if before is None
            else status.uptime_ns < before.uptime_ns
        )
        if before is None or is_fresh or came != before.came:
            if before is not None and came != before.came:
                self._patience.reset(name)
                is_fresh = False
            self._seen[name] = _Seen(seen, came, status.uptime_ns)
            if is_fresh:
                self._seen[name].fresh_until = now + FRESH_SECONDS
            self._is_suspicious |= quiet_seconds >= QUIET_SECONDS
            return False
        before.uptime_ns = status.uptime_ns
        if before.fresh_until and status.num_flows and not is_behind:
            before.fresh_until = 0.0
            self._starved.append(name)
        if is_behind or seen < before.seen + UNREAD_FLOWS:
            return False
        before.seen = seen
        before.strikes += 1
        self._is_suspicious = True
        return before.strikes >= STRIKES


def _unary(channel: grpc.Channel, name: str, parse: Callable[[bytes], Any]) -> Any:
    return channel.unary_unary(
        f"/observer.Observer/{name}", request_serializer=None, response_deserializer=parse
    )
