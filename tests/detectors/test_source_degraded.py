from __future__ import annotations

import pytest
from tests.closings import Stream, seen

from hubblewatch.detectors.finding import Finding, Reason
from hubblewatch.detectors.source_degraded import STREAM, SourceDegraded, SourceDegradedSettings
from hubblewatch.window.completeness import EXPORTER_BUFFER, STREAM_GAP, Completeness

EVENTS = {"node-a": 5_000, "node-b": 5_000}
RING = "PERF_EVENT_RING_BUFFER"


@pytest.fixture
def stream() -> Stream:
    return Stream(SourceDegraded(SourceDegradedSettings()))


def lossy(stream: Stream, share: float, minutes: int = 2) -> list[Finding]:
    found = []
    for _ in range(minutes):
        lost = round(10_000 * share / (1 - share))
        completeness = Completeness(1 - share, lost, share, [], 0.0, 0.0)
        found = stream.close(completeness=completeness, events=EVENTS)
    return found


def test_losses_of_more_than_a_tenth_in_two_windows_are_a_warning(stream: Stream) -> None:
    assert lossy(stream, 0.15, 1) == []
    (finding,) = lossy(stream, 0.15, 1)
    assert (finding.severity.value, finding.key, finding.subject) == ("warning", "losses", STREAM)
    assert "Only 85% of the network traffic is visible" in finding.summary


def test_losses_of_more_than_half_are_critical(stream: Stream) -> None:
    (finding,) = lossy(stream, 0.6)
    assert finding.severity.value == "critical"


def test_losses_of_less_than_a_tenth_are_quiet(stream: Stream) -> None:
    assert lossy(stream, 0.08, 10) == []


def test_one_bad_window_is_quiet(stream: Stream) -> None:
    assert lossy(stream, 0.5, 1) == []
    assert stream.close(events=EVENTS) == []
    assert lossy(stream, 0.5, 1) == []


def test_losses_of_one_node_count_by_themselves(stream: Stream) -> None:
    for _ in range(2):
        found = stream.close(
            completeness=seen(0.96),
            events={"node-a": 600, "node-b": 9_000},
            lost={("node-a", RING): 400},
        )
    (finding,) = found
    assert "On node-a more than 20% is missing" in finding.description
    assert finding.evidence.edges == ["node-a lost 400 (PERF_EVENT_RING_BUFFER)"]
    assert "raise Cilium's monitor aggregation" in finding.recommendation


def test_a_handful_of_lost_events_is_quiet_on_an_idle_stream(stream: Stream) -> None:
    for _ in range(5):
        completeness = Completeness(0.3, 3, 0.7, [], 0.0, 0.0)
        assert stream.close(completeness=completeness, events={"node-a": 1}) == []


def test_missing_heartbeats_are_losses_and_point_at_the_exporter(stream: Stream) -> None:
    for _ in range(2):
        found = stream.close(completeness=Completeness(0.5, 0, 0.0, [], 0.0, 0.5), events=EVENTS)
    (finding,) = found
    assert "an exporter was away" in finding.recommendation
    assert finding.summary.endswith(
        "50% of the exporters' heartbeats are missing in the last window"
    )
    assert finding.description.startswith("Lost by gaps in the heartbeats.")
    assert "Hubble lost" not in finding.summary


@pytest.mark.parametrize(
    ("source", "node", "said", "remedy"),
    [
        (EXPORTER_BUFFER, "", "an exporter had no room for 3,000 events", "export.spool.max_mib"),
        (STREAM_GAP, "node-a", "about 3,000 events came while nothing was read", "backups"),
        (RING, "node-a", "Hubble lost 3,000 events", "raise Cilium's monitor aggregation"),
        ("other", "node-a", "Hubble lost 3,000 events", "logs of the Cilium agents on node-a."),
        ("other", "", "Hubble lost 3,000 events", "logs of the Cilium agents."),
    ],
)
def test_each_kind_of_loss_is_told_as_what_it_is(
    stream: Stream, source: str, node: str, said: str, remedy: str
) -> None:
    completeness = Completeness(10 / 13, 3_000, 3 / 13, [], 0.0, 0.0)
    for _ in range(2):
        found = stream.close(completeness=completeness, events=EVENTS, lost={(node, source): 3_000})
    (finding,) = found
    assert finding.summary == (
        f"Only 77% of the network traffic is visible: {said} in the last window"
    )
    assert f"Lost by {source}." in finding.description
    assert remedy in finding.recommendation
    assert "Heartbeats" not in finding.recommendation
    assert finding.evidence.edges == [
        f"{node} lost 3,000 ({source})" if node else f"3,000 lost ({source})"
    ]


def test_losses_of_several_kinds_are_told_apart(stream: Stream) -> None:
    completeness = Completeness(0.5, 5_000, 0.3, [], 0.0, 0.2)
    lost = {("node-a", RING): 2_000, ("", EXPORTER_BUFFER): 3_000}
    for _ in range(2):
        found = stream.close(completeness=completeness, events=EVENTS, lost=lost)
    (finding,) = found
    assert (
        "Hubble lost 2,000 events, an exporter had no room for 3,000 events, 20% of the exporters' "
        "heartbeats are missing in the last window"
    ) in finding.summary
    for remedy in ("monitor aggregation", "export.spool.max_mib", "Heartbeats are missing"):
        assert remedy in finding.recommendation


@pytest.mark.parametrize(
    ("poor", "said"),
    [
        (["n3"], "Only 71% of the traffic of node n3 is visible"),
        (["n3", "n4"], "Less than 80% of the traffic of 2 nodes is visible"),
    ],
)
def test_few_poor_nodes_are_told_and_not_the_whole(
    stream: Stream, poor: list[str], said: str
) -> None:
    count = 4_000 * len(poor)
    share = count / (500_000 + count)
    for _ in range(2):
        found = stream.close(
            completeness=Completeness(1 - share, count, share, [], 0.0, 0.0),
            events={f"n{number}": 10_000 for number in range(50)},
            lost={(node, RING): 4_000 for node in poor},
        )
    (finding,) = found
    assert finding.summary.startswith(said)
    assert (finding.observed, finding.unit) == (71.4, "% of a node's traffic seen")
    assert finding.reasons == [Reason("node_completeness", pytest.approx(10 / 14), 0.8, 1.0)]
    assert finding.score == pytest.approx(4 / 14)


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_one_silent_node_is_info_however_large(stream: Stream, share: float) -> None:
    for _ in range(5):
        (finding,) = stream.close(completeness=seen(share, ["node-b"]), events={"node-a": 100})
        assert (finding.severity.value, finding.key) == ("info", "node:node-b")
        assert "Node node-b sends no events any more" in finding.summary


def test_several_silent_nodes_with_half_of_the_traffic_are_a_warning(stream: Stream) -> None:
    for _ in range(2):
        found = stream.close(completeness=seen(0.4, ["node-b", "node-c"]))
    assert [finding.severity.value for finding in found] == ["warning", "info", "info"]


def test_late_lines_are_info(stream: Stream) -> None:
    (finding,) = stream.close(events=EVENTS, late=900)
    assert (finding.severity.value, finding.key) == ("info", "late")
    assert finding.summary == "900 lines came too late to be counted, and 10,000 in time"


def test_few_late_lines_are_quiet(stream: Stream) -> None:
    assert stream.close(events=EVENTS, late=200) == []
    assert stream.close(events={"node-a": 10}, late=40) == []


def test_a_whole_stream_is_quiet(stream: Stream) -> None:
    assert [stream.close(events=EVENTS) for _ in range(5)] == [[]] * 5
