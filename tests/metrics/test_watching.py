import pytest
from prometheus_client import CollectorRegistry
from tests.builders import SOCKET, START, flow, lost, node_status, pod
from tests.connections import tcp
from tests.refusals import denied

from hubblewatch.assemble import build_pipeline
from hubblewatch.flow.decode import decode_lines
from hubblewatch.metrics import Metrics
from hubblewatch.metrics.watching import PipelineMetrics
from hubblewatch.settings import Settings


class Watched:
    """A pipeline whose closings are told to metrics of its own."""

    def __init__(self):
        self.registry = CollectorRegistry()
        self.pipeline = build_pipeline(Settings())
        self.watching = PipelineMetrics(Metrics(self.registry, version="1"), self.pipeline)

    def take(self, *lines):
        self._show(self.pipeline.take(decode_lines(lines, lambda _: None)))

    def finish(self):
        self._show(self.pipeline.finish())

    def value(self, name, **labels):
        return self.registry.get_sample_value(f"hubblewatch_{name}", labels)

    def _show(self, closings):
        for closed in closings:
            self.watching.observe(closed)


@pytest.fixture
def watched():
    return Watched()


def test_attempts_of_a_closing_are_counted(watched):
    watched.take(*tcp(), *denied(at=1, from_port=41_001))
    watched.finish()

    assert watched.value("attempts_total", namespace="shop", protocol="tcp", outcome="allowed") == 1
    assert watched.value("attempts_total", namespace="shop", protocol="tcp", outcome="denied") == 1


def test_flows_are_counted_once_over_several_closings(watched):
    watched.take(*[flow(at=60 * minute) for minute in range(5)])
    watched.finish()

    assert watched.value("flows_total", verdict="FORWARDED") == 5


def test_refused_incidents_are_counted_once_over_several_closings(watched):
    watched.take(flow(at=0))
    watched.pipeline.incidents.refused = 3
    watched.take(*[flow(at=60 * minute) for minute in range(1, 5)])
    watched.finish()

    assert watched.value("incidents_refused_total") == 3


def test_what_arrived_shows_before_the_first_closing(watched):
    watched.take(*tcp(), lost(at=1, count=7))
    watched.watching.observe_intake()

    assert watched.value("flows_total", verdict="FORWARDED") == len(tcp())
    assert watched.value("lost_events_total", source="HUBBLE_RING_BUFFER") == 7


def test_flows_in_no_attempt_are_counted_by_reason(watched):
    watched.take(flow(kind=SOCKET, at=0), flow(at=1))
    watched.finish()

    assert watched.value("uncounted_flows_total", reason="socket") == 1


def test_late_flows_and_rejects_are_counted(watched):
    watched.pipeline.counts.rejects["malformed"] += 2
    watched.take(flow(at=0), flow(at=200), flow(at=1))
    watched.finish()

    assert watched.value("late_flows_total") == 1
    assert watched.value("rejected_lines_total", reason="malformed") == 2


def test_an_alert_is_active_after_its_closing(watched):
    for number in range(40):
        watched.take(*denied(pod("shop/cart-0"), at=number / 2, from_port=42_000 + number))
    watched.finish()

    labels = {"detector": "policy-denials", "namespace": "shop", "workload": "cart"}
    assert watched.value("alerts_active", severity="critical", **labels) == 1


def test_nodes_are_told_by_their_state(watched):
    watched.take(
        *tcp(pod(node="node-a"), pod("shop/db-0", node="node-b")),
        node_status(1, "NODE_UNAVAILABLE", "node-c"),
    )
    watched.finish()

    assert watched.value("nodes", state="connected") == 2
    assert watched.value("nodes", state="unavailable") == 1


def test_the_newest_event_time_is_told_to_within_a_window(watched):
    watched.take(*[flow(at=second) for second in range(200)])
    watched.watching.observe_intake()

    newest = watched.value("newest_event_timestamp_seconds")
    assert START + 199 - 60 <= newest <= START + 199


def test_suppressed_findings_are_counted_once(watched):
    watched.pipeline.incidents.suppressed["known"] = 3
    watched.take(flow(at=0), flow(at=200))
    watched.finish()

    assert watched.value("suppressed_total", entry="known") == 3
