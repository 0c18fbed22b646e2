"""What one denied connection looks like."""

from collections import defaultdict

from tests.simulate.recording import Flow, nanoseconds, recording, tuple_of


def denied_connections(scenario: str) -> list[list[Flow]]:
    """Events of each TCP connection that a policy dropped, in time order."""
    groups: dict[tuple[str, str, int, str, int], list[Flow]] = defaultdict(list)
    for flow in recording(scenario, minutes=5, seed=4).flows():
        if flow["verdict"] == "DROPPED" and flow["Type"] == "L3_L4" and "TCP" in flow["l4"]:
            groups[tuple_of(flow)].append(flow)
    return [
        sorted(events, key=lambda flow: nanoseconds(flow["time"])) for events in groups.values()
    ]


def test_a_denied_syn_gives_a_verdict_and_microseconds_later_a_drop() -> None:
    for events in denied_connections("denied-probe"):
        for verdict, drop in zip(events[::2], events[1::2], strict=True):
            assert verdict["event_type"]["type"] == 5
            assert drop["event_type"]["type"] == 1
            assert 0 < nanoseconds(drop["time"]) - nanoseconds(verdict["time"]) < 100_000


def test_a_denied_syn_is_sent_again_by_tcps_timer() -> None:
    connections = denied_connections("denied-probe")
    longest = max(connections, key=len)
    first = nanoseconds(longest[0]["time"])
    again = [round((nanoseconds(event["time"]) - first) / 1e9) for event in longest[::2]]
    assert again == [0, 1, 3, 7, 15, 31][: len(again)]
    assert len(again) >= 3


def test_only_the_verdict_of_a_naming_rule_names_a_policy() -> None:
    events = [event for events in denied_connections("policy-break") for event in events]
    named = [event for event in events if "ingress_denied_by" in event]
    assert named
    for event in named:
        assert event["event_type"]["type"] == 5
        assert event["drop_reason_desc"] == "POLICY_DENY"
        assert event["ingress_denied_by"][0]["name"] == "restrict-ingress"
    unnamed = [event for event in events if event["drop_reason_desc"] == "POLICY_DENIED"]
    assert not any("ingress_denied_by" in event or "egress_denied_by" in event for event in unnamed)


def test_an_l7_denial_is_a_dropped_request_and_a_403() -> None:
    flows = [
        flow
        for seed in range(1, 12)
        for flow in recording("policy-break", seed=seed).flows()
        if flow["Type"] == "L7" and "http" in flow["l7"]
    ]
    dropped = [flow for flow in flows if flow["verdict"] == "DROPPED"]
    assert dropped
    answers = {
        tuple_of(flow): flow["l7"]["http"]["code"]
        for flow in flows
        if flow["l7"]["type"] == "RESPONSE"
    }
    for request in dropped:
        assert "drop_reason_desc" not in request
        protocol, source, sport, destination, dport = tuple_of(request)
        assert answers[(protocol, destination, dport, source, sport)] == 403
