"""Panels of what is found in the cluster, and of its traffic."""

from __future__ import annotations

from deploy.grafana.panels import (
    CLUSTER,
    SEVERITY_COLOURS,
    Placed,
    Query,
    Step,
    bars,
    row,
    series,
    stat,
    table,
)

C = CLUSTER
CN = f'{CLUSTER}, namespace=~"$namespace"'
OUTCOME_COLOURS = {
    "allowed": "green",
    "denied": "red",
    "audited": "yellow",
    "dropped": "purple",
    "failed": "orange",
}


def incident_panels() -> list[Placed]:
    """What was found: width, height, panel."""
    active = f"hubblewatch_alerts_active{{{CN}}}"
    return [
        (24, 1, row("Incidents")),
        *(
            (
                4,
                4,
                stat(
                    f"Open, {severity}",
                    f"Incidents of severity {severity} that are open now.",
                    f'sum(hubblewatch_alerts_active{{{CN}, severity="{severity}"}}) or vector(0)',
                    unit="short",
                    steps=[Step(None, "green"), Step(1, colour)],
                    low=0,
                ),
            )
            for severity, colour in SEVERITY_COLOURS.items()
        ),
        (
            4,
            4,
            stat(
                "Completeness",
                "Share of the events that reached the last closed window, of the worst partition. "
                "Below 80 % absence, failures and the model are not judged.",
                f"min(hubblewatch_window_completeness{{{C}}})",
                unit="percentunit",
                steps=[Step(None, "red"), Step(0.8, "orange"), Step(0.95, "green")],
                low=0,
                high=1,
            ),
        ),
        (
            4,
            4,
            stat(
                "Watermark lag",
                "How far the slowest partition is behind the clock: alerts come that late.",
                f"max(hubblewatch_watermark_lag_seconds{{{C}}})",
                unit="s",
                steps=[Step(None, "green"), Step(60, "orange"), Step(300, "red")],
                low=0,
            ),
        ),
        (
            4,
            4,
            stat(
                "Workers",
                "Workers that answer Prometheus.",
                f"count(hubblewatch_windows_closed_total{{{C}}}) or vector(0)",
                unit="short",
                steps=[Step(None, "red"), Step(1, "green")],
                low=0,
            ),
        ),
        (
            14,
            9,
            table(
                "Open incidents",
                "One row for each detector and workload. Why, and with which flows: /api/alerts of "
                "the worker, or the topic hubble.alerts.",
                Query(f"sort_desc(sum by (severity, detector, namespace, workload) ({active}))"),
                ["severity", "detector", "namespace", "workload"],
                "incidents",
            ),
        ),
        (
            10,
            9,
            series(
                "Open incidents by detector",
                "Incidents open at each moment.",
                [Query(f"sum by (detector) ({active})", "{{detector}}")],
                unit="short",
                stacked=True,
            ),
        ),
        (
            14,
            7,
            series(
                "Alerts sent by detector",
                "Incidents that opened or worsened, an hour.",
                [
                    Query(
                        "sum by (detector) "
                        f'(increase(hubblewatch_alerts_total{{{C}, status="firing"}}[1h]))',
                        "{{detector}}",
                    )
                ],
                unit="short",
            ),
        ),
        (
            10,
            7,
            series(
                "Findings held back, alerts in shadow mode",
                "What a suppression held back, by its name, what detectors on trial would have "
                "sent, and incidents refused because too many were open; an hour.",
                [
                    Query(
                        f"sum by (entry) (increase(hubblewatch_suppressed_total{{{C}}}[1h]))",
                        "suppressed by {{entry}}",
                    ),
                    Query(
                        f"sum by (detector) (increase(hubblewatch_shadow_alerts_total{{{C}}}[1h]))",
                        "shadow {{detector}}",
                    ),
                    Query(
                        f"sum(increase(hubblewatch_incidents_refused_total{{{C}}}[1h]))",
                        "refused",
                    ),
                ],
                unit="short",
            ),
        ),
    ]


def traffic_panels() -> list[Placed]:
    """What the cluster does: width, height, panel."""
    attempts = f"rate(hubblewatch_attempts_total{{{CN}}}[$__rate_interval])"
    denied = f'increase(hubblewatch_attempts_total{{{CN}, outcome="denied"}}[$__range])'
    return [
        (24, 1, row("Traffic")),
        (
            12,
            8,
            series(
                "Connection attempts by outcome",
                "Each connection counted once, when its window closes.",
                [Query(f"sum by (outcome) ({attempts})", "{{outcome}}")],
                unit="cps",
                stacked=True,
                colours=OUTCOME_COLOURS,
            ),
        ),
        (
            12,
            8,
            series(
                "Connection attempts by protocol",
                "As before, by protocol.",
                [Query(f"sum by (protocol) ({attempts})", "{{protocol}}")],
                unit="cps",
                stacked=True,
            ),
        ),
        (
            8,
            8,
            bars(
                "Denied attempts, top namespaces",
                "Attempts that policy denied in the time shown, by the namespace of the subject.",
                Query(f"topk(10, sum by (namespace) ({denied}))", "{{namespace}}"),
                unit="short",
            ),
        ),
        (
            8,
            8,
            series(
                "Flow events by verdict",
                "Events as Hubble reports them: several for one connection.",
                [
                    Query(
                        "sum by (verdict) "
                        f"(rate(hubblewatch_flows_total{{{C}}}[$__rate_interval]))",
                        "{{verdict}}",
                    )
                ],
                unit="eps",
            ),
        ),
        (
            8,
            8,
            series(
                "Mean anomaly score, top workloads",
                "Of the isolation forest; higher is more anomalous. Empty without a model.",
                [
                    Query(
                        "topk(10, sum by (namespace, workload) "
                        f"(rate(hubblewatch_anomaly_score_sum{{{CN}}}[$__rate_interval])) / "
                        "sum by (namespace, workload) "
                        f"(rate(hubblewatch_anomaly_score_count{{{CN}}}[$__rate_interval])))",
                        "{{namespace}}/{{workload}}",
                    )
                ],
                unit="short",
                low=None,
            ),
        ),
    ]
