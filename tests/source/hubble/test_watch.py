from __future__ import annotations

from itertools import pairwise
from typing import Any

import grpc
import pytest
from tests.source.hubble.observer import relay_node

from hubblewatch.flow.schema import Flow, Line
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.continuity import Continuity
from hubblewatch.source.hubble.counts import NodeState, ReconnectReason, SourceCounts
from hubblewatch.source.hubble.patience import FIRST_PATIENCE_SECONDS, Patience
from hubblewatch.source.hubble.proto import observer_pb2
from hubblewatch.source.hubble.trouble import HubbleTroubleError, MissingNodesError
from hubblewatch.source.hubble.watch import Watch

NOON_NS = 1_795_521_600 * 1_000_000_000
OK = grpc.StatusCode.OK


class Answer:
    def __init__(self, code: grpc.StatusCode, message: Any) -> None:
        self._code, self._message = code, message

    def done(self) -> bool:
        return True

    def code(self) -> grpc.StatusCode:
        return self._code

    def result(self) -> Any:
        return self._message

    def cancel(self) -> None:
        pass


class Hubble:
    """A channel on which every question is answered at once, or fails with ``fails``."""

    def __init__(self) -> None:
        self.nodes: list[observer_pb2.Node] | None = None
        self.status = observer_pb2.ServerStatusResponse(seen_flows=9, num_flows=9, uptime_ns=9)
        self.fails: grpc.StatusCode | None = None
        self.asked: list[float] = []
        self.now = 0.0

    def unary_unary(self, path: str, **_: Any) -> Any:
        hubble = self

        class Call:
            def future(self, _: bytes, timeout: float, metadata: Any) -> Answer:
                hubble.asked.append(hubble.now)
                if hubble.fails is not None:
                    return Answer(hubble.fails, None)
                if path.endswith("ServerStatus"):
                    return Answer(OK, hubble.status)
                if hubble.nodes is None:
                    return Answer(grpc.StatusCode.UNIMPLEMENTED, None)
                return Answer(OK, observer_pb2.GetNodesResponse(nodes=hubble.nodes))

        return Call()


class Scene:
    """A stream on which nodes speak, and its watch, moved second by second."""

    def __init__(self, *nodes: str, **settings: Any) -> None:
        self.hubble = Hubble()
        self.settings = HubbleSettings(**settings)
        self.counts = SourceCounts()
        self.continuity = Continuity(self.counts)
        self.patience = Patience()
        self.speaking = set(nodes)
        self.rate = 5
        self.seen = dict.fromkeys(nodes, 100)
        self.told: list[Line] = []
        self.messages = 0
        self.is_relay = bool(nodes)
        self.reopen()

    def reopen(self) -> None:
        self.watch = Watch(
            self.hubble,  # type: ignore[arg-type]
            (),
            self.settings,
            self.continuity,
            self.patience,
            self.counts,
        )

    def run(self, seconds: float) -> None:
        """Let so much time pass; raises what the watch raises."""
        until = self.hubble.now + seconds
        while self.hubble.now < until:
            self.hubble.now += 0.5
            now_ns = NOON_NS + round(self.hubble.now * 1e9)
            for node in sorted(self.seen):
                self.seen[node] += self.rate
                if node in self.speaking:
                    self.speak(node, now_ns)
            if self.is_relay:
                self.hubble.nodes = [relay_node(name, seen) for name, seen in self.seen.items()]
            self.told += self.watch.check(self.hubble.now, now_ns, self.messages, False)

    def speak(self, node: str, now_ns: int) -> None:
        lines = []
        for number in range(self.rate):
            uuid = f"{node}-{now_ns}-{number}"
            lines.append(Line(flow=Flow(uuid=uuid, node_name=node)))
        self.messages += len(lines)
        self.continuity.take(lines, [now_ns - 5 + n for n in range(len(lines))], now_ns)

    def state(self, node: str) -> NodeState:
        return self.continuity.nodes[node].state


def test_a_healthy_hubble_is_asked_every_twenty_seconds() -> None:
    scene = Scene("node-a", "node-b")
    scene.run(100)
    gaps = [after - before for before, after in pairwise(scene.hubble.asked)]
    assert set(gaps) == {20.0}
    assert not scene.told


def test_an_agent_is_asked_for_its_status_once_it_knows_no_nodes() -> None:
    scene = Scene()
    scene.run(5)
    assert scene.watch.is_agent
    assert scene.watch.answered_at is not None


def test_no_answer_and_no_flow_is_noticed_within_a_minute() -> None:
    scene = Scene("node-a")
    scene.run(30)
    scene.speaking.clear()
    scene.hubble.fails = grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(HubbleTroubleError) as found:
        scene.run(60)
    assert found.value.reason is ReconnectReason.SILENT
    assert scene.counts.failed_checks == 2


def test_no_answer_while_flows_come_is_no_reason_to_break_off() -> None:
    scene = Scene("node-a")
    scene.hubble.fails = grpc.StatusCode.DEADLINE_EXCEEDED
    scene.run(200)
    assert scene.counts.failed_checks > 5


def test_the_node_that_hangs_is_found_though_relay_does_not_answer() -> None:
    scene = Scene("node-a", "node-b")
    scene.run(60)
    scene.speaking.remove("node-b")
    scene.hubble.fails = grpc.StatusCode.DEADLINE_EXCEEDED
    scene.run(45)
    assert scene.state("node-b") is NodeState.SILENT
    assert scene.state("node-a") is NodeState.CONNECTED


def test_a_node_that_relay_leaves_out_is_noticed_within_a_minute_and_told() -> None:
    scene = Scene("node-a", "node-b")
    scene.run(60)
    scene.speaking.remove("node-b")
    with pytest.raises(MissingNodesError, match="node-b") as found:
        scene.run(60)
    assert found.value.reason is ReconnectReason.MISSING_NODE
    assert [
        str(line.node_status.state_change) for line in found.value.told if line.node_status
    ] == ["NODE_UNAVAILABLE"]


def test_a_node_that_stays_away_breaks_the_stream_ever_less_often() -> None:
    scene = Scene("node-a", "node-b")
    scene.run(60)
    scene.speaking.remove("node-b")
    broken = []
    while scene.hubble.now < 3_600:
        try:
            scene.run(10)
        except MissingNodesError:
            broken.append(scene.hubble.now)
            scene.reopen()
    assert 3 <= len(broken) <= 7
    assert broken[1] - broken[0] >= FIRST_PATIENCE_SECONDS
    assert broken[-1] - broken[-2] > broken[1] - broken[0]


@pytest.mark.parametrize(
    "filters", [{"only": {"namespaces": ["shop"]}}, {"without": {"verdicts": ["FORWARDED"]}}]
)
@pytest.mark.parametrize("spoke", [False, True])
def test_a_node_whose_flows_a_filter_may_hide_is_not_told_to_be_away(
    filters: dict[str, Any], spoke: bool
) -> None:
    scene = Scene("node-a", "node-b", **filters)
    if spoke:
        scene.run(30)
    scene.speaking.discard("node-b")
    reopened = 0
    while scene.hubble.now < 1_000:
        try:
            scene.run(1_000 - scene.hubble.now)
        except MissingNodesError as error:
            scene.told += error.told
            reopened += 1
            scene.reopen()
    assert not scene.told
    assert all(node.state is NodeState.CONNECTED for node in scene.continuity.nodes.values())
    # It may be one that the stream lacks.
    assert 1 <= reopened <= 5


def test_a_quiet_node_is_left_in_peace() -> None:
    scene = Scene("node-a", "node-b")
    scene.run(60)
    scene.rate = 0
    scene.run(600)
    assert not scene.told


@pytest.mark.parametrize("is_relay", [True, False])
def test_the_first_flow_in_an_empty_ring_is_noticed_within_seconds(is_relay: bool) -> None:
    scene = Scene(*(["node-a"] if is_relay else []))
    scene.rate = 0
    scene.speaking.clear()
    scene.seen = dict.fromkeys(scene.seen, 0)
    scene.hubble.status = observer_pb2.ServerStatusResponse(uptime_ns=1)
    scene.run(10)
    scene.seen = dict.fromkeys(scene.seen, 1)
    scene.hubble.status = observer_pb2.ServerStatusResponse(seen_flows=1, num_flows=1, uptime_ns=2)
    with pytest.raises(HubbleTroubleError) as found:
        scene.run(3)
    assert found.value.reason is ReconnectReason.EMPTY_RING


def test_relays_names_with_a_cluster_are_those_of_flows_without() -> None:
    scene = Scene("node-a")
    scene.run(25)
    scene.is_relay = False
    scene.hubble.nodes = [relay_node("east/node-a", 500)]
    scene.run(60)
    assert scene.state("node-a") is NodeState.CONNECTED
