"""What the pipeline counted, as Prometheus sees it."""

from __future__ import annotations

from tests.metrics.building import Alert, ClosedNow, Counts, metrics, sample

from hubblewatch.flow.reject import RejectReason

WARNING = {"detector": "new-edge", "severity": "warning", "namespace": "shop", "workload": "cart"}
CRITICAL = {**WARNING, "severity": "critical"}


def test_attempts_of_closed_windows_add_up() -> None:
    observed = metrics()
    for _ in range(2):
        observed.observe_closing(ClosedNow(attempts={("shop", "tcp", "denied"): 4}))
    labels = {"namespace": "shop", "protocol": "tcp", "outcome": "denied"}
    assert sample(observed, "hubblewatch_attempts_total", **labels) == 8
    assert sample(observed, "hubblewatch_windows_closed_total") == 2


def test_an_unknown_protocol_or_outcome_is_other() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(attempts={("shop", "quic", "teleported"): 1}))
    labels = {"namespace": "shop", "protocol": "other", "outcome": "other"}
    assert sample(observed, "hubblewatch_attempts_total", **labels) == 1


def test_an_alert_is_active_until_its_incident_resolves() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert()]))
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) == 1
    observed.observe_closing(ClosedNow(alerts=[Alert(status="resolved")]))
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) is None


def test_two_incidents_of_one_workload_and_detector_count_two() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert("a"), Alert("b")]))
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) == 2


def test_the_same_incident_said_again_stays_one() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert(), Alert()]))
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) == 1


def test_an_incident_that_worsens_moves_to_its_new_severity() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert(), Alert(severity="critical")]))
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) is None
    assert sample(observed, "hubblewatch_alerts_active", **CRITICAL) == 1


def test_a_resolution_of_an_unknown_incident_lowers_nothing() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert("a"), Alert("b", status="resolved")]))
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) == 1


def test_alert_records_are_counted_by_status() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert(), Alert(status="resolved")]))
    for status in ("firing", "resolved"):
        labels = {"detector": "new-edge", "severity": "warning", "status": status}
        assert sample(observed, "hubblewatch_alerts_total", **labels) == 1


def test_a_shadow_alert_is_counted_apart_and_never_active() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert(shadow=True)]))
    labels = {"detector": "new-edge", "severity": "warning", "status": "firing"}
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) is None
    assert sample(observed, "hubblewatch_alerts_total", **labels) is None
    assert sample(observed, "hubblewatch_shadow_alerts_total", **labels) == 1


def test_restored_incidents_are_active_but_not_counted_as_sent() -> None:
    observed = metrics()
    observed.restore([Alert()], stream="3")
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) == 1
    assert observed.families.alerts_total.snapshot() == []


def test_a_revoked_partition_takes_its_active_alerts_with_it_and_leaves_the_others() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(alerts=[Alert("a")], open_incidents=1), stream="1")
    observed.observe_closing(ClosedNow(alerts=[Alert("b")], open_incidents=1), stream="2")
    observed.forget("1")
    assert sample(observed, "hubblewatch_alerts_active", **WARNING) == 1
    assert sample(observed, "hubblewatch_incidents_open") == 1


def test_a_hundred_thousand_pods_add_no_series_and_no_label() -> None:
    observed = metrics()
    for pod in range(100_000 // 500):
        attempts = {(f"ns-{n % 40}", "tcp", "allowed"): 1 for n in range(500)}
        alerts = [Alert(f"pod-{pod}-{n}", workload=f"workload-{n % 25}") for n in range(500)]
        observed.observe_closing(ClosedNow(attempts=attempts, alerts=alerts))
    assert len(observed.families.attempts_total) == 40
    assert len(observed.families.alerts_active) == 25
    names = {
        name for family in observed.registry.collect() for s in family.samples for name in s.labels
    }
    assert names.isdisjoint({"pod", "address", "ip", "port", "score", "time"})


def test_five_thousand_workloads_with_alerts_stay_within_the_cap() -> None:
    observed = metrics()
    alerts = [Alert(f"incident-{n}", workload=f"workload-{n}") for n in range(5_000)]
    observed.observe_closing(ClosedNow(alerts=alerts))
    observed.observe_scores((f"ns-{n}", f"workload-{n}", 0.5) for n in range(5_000))
    assert len(observed.families.alerts_active) == 2_001
    assert len(observed.families.anomaly_score) == 2_001
    folded = {"family": "hubblewatch_alerts_active"}
    assert sample(observed, "hubblewatch_folded_series_total", **folded) == 3_000
    bucket = {**WARNING, "namespace": "other", "workload": "other"}
    assert sample(observed, "hubblewatch_alerts_active", **bucket) == 3_000


def test_resolving_all_of_a_full_family_empties_it() -> None:
    observed = metrics(cap=10)
    for status in ("firing", "resolved"):
        alerts = [Alert(f"incident-{n}", status, workload=f"w-{n}") for n in range(50)]
        observed.observe_closing(ClosedNow(alerts=alerts))
    assert len(observed.families.alerts_active) == 0


def test_a_namespace_that_is_gone_loses_its_series() -> None:
    observed = metrics(idle_seconds=3_600)
    observed.observe_closing(ClosedNow(end=1_000_000, attempts={("gone", "tcp", "allowed"): 1}))
    observed.observe_closing(ClosedNow(end=1_003_700, attempts={("shop", "tcp", "allowed"): 1}))
    assert [labels[0] for labels, _ in observed.families.attempts_total.snapshot()] == ["shop"]


def test_a_partition_that_lags_by_hours_keeps_its_series() -> None:
    observed = metrics(idle_seconds=3_600)
    behind = ClosedNow(end=1_000_000, attempts={("behind", "tcp", "allowed"): 1})
    ahead = ClosedNow(end=1_050_000, attempts={("ahead", "tcp", "allowed"): 1})
    observed.observe_closing(ahead, stream="1")
    observed.observe_closing(behind, stream="2")
    observed.observe_closing(ClosedNow(end=1_050_060), stream="1")
    labels = {"namespace": "behind", "protocol": "tcp", "outcome": "allowed"}
    assert sample(observed, "hubblewatch_attempts_total", **labels) == 1


def test_intake_totals_become_counters() -> None:
    observed = metrics()
    observed.observe_intake(
        Counts(
            flows={"DROPPED": 5},
            uncounted={"connection-table": 4, "look-ups": 1, "novel": 2},
            rejects={RejectReason.MALFORMED: 2},
            lost={"HUBBLE_RING_BUFFER": 7},
            late=3,
        )
    )
    assert sample(observed, "hubblewatch_flows_total", verdict="DROPPED") == 5
    name = "hubblewatch_uncounted_flows_total"
    assert sample(observed, name, reason="connection-table") == 4
    assert sample(observed, name, reason="look-ups") == 1
    assert sample(observed, name, reason="other") == 2
    assert sample(observed, "hubblewatch_rejected_lines_total", reason="malformed") == 2
    assert sample(observed, "hubblewatch_lost_events_total", source="HUBBLE_RING_BUFFER") == 7
    assert sample(observed, "hubblewatch_late_flows_total") == 3


def test_a_worker_without_streams_says_nothing_of_completeness() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(completeness=0.3), stream="1")
    observed.forget("1")
    assert sample(observed, "hubblewatch_window_completeness") is None


def test_totals_told_twice_count_once() -> None:
    observed = metrics()
    for total in (5, 5, 8):
        observed.observe_intake(Counts(flows={"FORWARDED": total}, late=total))
    assert sample(observed, "hubblewatch_flows_total", verdict="FORWARDED") == 8
    assert sample(observed, "hubblewatch_late_flows_total") == 8


def test_a_stream_that_starts_again_at_zero_never_lowers_a_counter() -> None:
    observed = metrics()
    observed.observe_intake(Counts(flows={"FORWARDED": 100}))
    observed.observe_intake(Counts(flows={"FORWARDED": 7}))
    assert sample(observed, "hubblewatch_flows_total", verdict="FORWARDED") == 107


def test_a_partition_that_returns_counts_on() -> None:
    observed = metrics()
    observed.observe_intake(Counts(flows={"FORWARDED": 100}), stream="4")
    observed.forget("4")
    observed.observe_intake(Counts(flows={"FORWARDED": 150}), stream="4")
    assert sample(observed, "hubblewatch_flows_total", verdict="FORWARDED") == 250


def test_totals_of_streams_add_up() -> None:
    observed = metrics()
    for stream in ("1", "2"):
        observed.observe_intake(Counts(flows={"FORWARDED": 10}), stream=stream)
    assert sample(observed, "hubblewatch_flows_total", verdict="FORWARDED") == 20


def test_a_loss_that_every_partition_hears_of_counts_once() -> None:
    observed = metrics()
    for stream in ("1", "2", "3"):
        observed.observe_intake(Counts(lost={"HUBBLE_RING_BUFFER": 10}), stream=stream)
    assert sample(observed, "hubblewatch_lost_events_total", source="HUBBLE_RING_BUFFER") == 10


def test_losses_go_on_counting_once_when_the_first_partition_is_revoked() -> None:
    observed = metrics()
    for total in (10, 14):
        for stream in ("1", "2"):
            observed.observe_intake(Counts(lost={"HUBBLE_RING_BUFFER": total}), stream=stream)
    observed.forget("1")
    observed.observe_intake(Counts(lost={"HUBBLE_RING_BUFFER": 15}), stream="2")
    assert sample(observed, "hubblewatch_lost_events_total", source="HUBBLE_RING_BUFFER") == 15


def test_a_stream_that_only_closes_windows_does_not_keep_losses_from_counting() -> None:
    observed = metrics()
    observed.restore([Alert()], stream="1")
    observed.observe_intake(Counts(lost={"HUBBLE_RING_BUFFER": 10}), stream="2")
    assert sample(observed, "hubblewatch_lost_events_total", source="HUBBLE_RING_BUFFER") == 10


def test_enum_names_of_a_newer_hubble_add_no_series() -> None:
    observed = metrics()
    before = len(observed.families.flows_total)
    flows: dict[str | int, int] = {**{f"VERDICT_{n}": 1 for n in range(500)}, 42: 1}
    observed.observe_intake(Counts(flows=flows, rejects={"novel": 2}, lost={9: 3}))
    assert len(observed.families.flows_total) == before
    assert sample(observed, "hubblewatch_flows_total", verdict="other") == 501
    assert sample(observed, "hubblewatch_rejected_lines_total", reason="other") == 2
    assert sample(observed, "hubblewatch_lost_events_total", source="other") == 3


def test_the_lag_grows_while_the_watermark_stands() -> None:
    now = [1_000.0]
    observed = metrics(clock=lambda: now[0])
    observed.observe_intake(Counts(watermark_ns=990_000_000_000))
    assert sample(observed, "hubblewatch_watermark_lag_seconds") == 10
    now[0] = 1_060.0
    assert sample(observed, "hubblewatch_watermark_lag_seconds") == 70


def test_the_lag_is_that_of_the_slowest_partition() -> None:
    observed = metrics(clock=lambda: 1_000.0)
    observed.observe_intake(Counts(watermark_ns=995_000_000_000), stream="1")
    observed.observe_intake(Counts(watermark_ns=900_000_000_000), stream="2")
    observed.observe_intake(Counts(), stream="3")
    assert sample(observed, "hubblewatch_watermark_lag_seconds") == 100


def test_without_a_clock_or_a_watermark_there_is_no_lag() -> None:
    unclocked = metrics()
    unclocked.observe_intake(Counts(watermark_ns=1))
    assert sample(unclocked, "hubblewatch_watermark_lag_seconds") is None
    assert sample(metrics(clock=lambda: 1.0), "hubblewatch_watermark_lag_seconds") is None


def test_completeness_is_the_worst_partitions() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(completeness=0.4), stream="1")
    observed.observe_closing(ClosedNow(completeness=1.0), stream="2")
    assert sample(observed, "hubblewatch_window_completeness") == 0.4
    observed.forget("1")
    assert sample(observed, "hubblewatch_window_completeness") == 1.0


def test_subjects_and_connections_are_summed_and_nodes_are_not() -> None:
    observed = metrics()
    for stream in ("1", "2"):
        observed.observe_closing(ClosedNow(subjects=3, connections=5), stream=stream)
        observed.observe_intake(Counts(nodes={"connected": 4, "on-fire": 1}), stream=stream)
    assert sample(observed, "hubblewatch_subjects") == 6
    assert sample(observed, "hubblewatch_connections") == 10
    assert sample(observed, "hubblewatch_nodes", state="connected") == 4
    assert sample(observed, "hubblewatch_nodes", state="other") == 1


def test_suppressions_are_counted_by_entry() -> None:
    observed = metrics()
    observed.observe_closing(ClosedNow(suppressed={"backup": 2}))
    assert sample(observed, "hubblewatch_suppressed_total", entry="backup") == 2


def test_consumer_lag_leaves_with_its_partition() -> None:
    observed = metrics()
    observed.set_consumer_lag("7", 12)
    assert sample(observed, "hubblewatch_consumer_lag_records", partition="7") == 12
    observed.forget("7")
    assert sample(observed, "hubblewatch_consumer_lag_records", partition="7") is None


def test_a_consumer_lag_that_nobody_knows_is_not_told() -> None:
    observed = metrics()
    observed.set_consumer_lag("7", None)
    observed.set_consumer_lag("7", 12)
    observed.set_consumer_lag("7", None)
    assert sample(observed, "hubblewatch_consumer_lag_records", partition="7") is None


def test_a_new_model_takes_the_place_of_the_old() -> None:
    observed = metrics()
    observed.set_model("forest", "1", "shadow")
    observed.set_model("forest", "2", "active")
    assert [labels for labels, _ in observed.families.model_info.snapshot()] == [
        ("forest", "2", "active")
    ]
