"""Panels of how well the service sees, and of where it stands."""

from __future__ import annotations

from deploy.grafana.panels import CLUSTER, Placed, Query, row, series

C = CLUSTER


def source_panels() -> list[Placed]:
    """How well the service sees: width, height, panel."""
    return [
        (24, 1, row("Source")),
        (
            8,
            7,
            series(
                "Completeness of windows",
                "Of each worker; its worst partition.",
                [Query(f"min by (instance) (hubblewatch_window_completeness{{{C}}})")],
                unit="percentunit",
                high=1,
            ),
        ),
        (
            8,
            7,
            series(
                "Lost, late and rejected",
                "Events lost on the way by source (every worker hears of every loss), flows after "
                "their window had closed, flows without room, lines that could not be used.",
                [
                    Query(
                        "max by (source) "
                        f"(rate(hubblewatch_lost_events_total{{{C}}}[$__rate_interval]))",
                        "lost: {{source}}",
                    ),
                    Query(
                        f"sum(rate(hubblewatch_late_flows_total{{{C}}}[$__rate_interval]))", "late"
                    ),
                    Query(
                        "sum by (reason) (rate(hubblewatch_uncounted_flows_total"
                        f'{{{C},reason=~"connection-table|look-ups"}}[$__rate_interval]))',
                        "no room: {{reason}}",
                    ),
                    Query(
                        "sum by (reason) "
                        f"(rate(hubblewatch_rejected_lines_total{{{C}}}[$__rate_interval]))",
                        "rejected: {{reason}}",
                    ),
                    Query(
                        f"sum(rate(hubblewatch_source_duplicates_total{{{C}}}[$__rate_interval]))",
                        "seen before",
                    ),
                ],
                unit="eps",
            ),
        ),
        (
            8,
            7,
            series(
                "Nodes by state",
                "As Relay and the stream tell.",
                [Query(f"max by (state) (hubblewatch_nodes{{{C}}})", "{{state}}")],
                unit="short",
            ),
        ),
    ]


def service_panels() -> list[Placed]:
    """Where the service stands: width, height, panel."""
    return [
        (24, 1, row("Service")),
        (
            8,
            7,
            series(
                "Watermark lag",
                "Of each worker's slowest partition.",
                [Query(f"max by (instance) (hubblewatch_watermark_lag_seconds{{{C}}})")],
                unit="s",
            ),
        ),
        (
            8,
            7,
            series(
                "Consumer lag by partition",
                "Records of the flows topic not yet read; no line while Kafka does not tell.",
                [
                    Query(
                        f"max by (partition) (hubblewatch_consumer_lag_records{{{C}}})",
                        "{{partition}}",
                    )
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Windows closed",
                "Each closing is one Kafka transaction; one a minute and partition is usual.",
                [
                    Query(
                        "sum by (instance) "
                        f"(rate(hubblewatch_windows_closed_total{{{C}}}[$__rate_interval])) * 60"
                    )
                ],
                unit="opm",
            ),
        ),
        (
            8,
            7,
            series(
                "Series folded",
                "Updates that went into the bucket `other` because a family was full.",
                [
                    Query(
                        "sum by (family) "
                        f"(rate(hubblewatch_folded_updates_total{{{C}}}[$__rate_interval]))",
                        "{{family}}",
                    )
                ],
                unit="ops",
            ),
        ),
        (
            8,
            7,
            series(
                "Memory and what is remembered",
                "Resident memory of each worker.",
                [
                    Query(
                        f"process_resident_memory_bytes{{{C}}} "
                        f"and on (job, instance) hubblewatch_build_info{{{C}}}",
                        "{{instance}}",
                    )
                ],
                unit="bytes",
            ),
        ),
        (
            8,
            7,
            series(
                "Workloads and connections remembered",
                "Workloads with a past, connections under way.",
                [
                    Query(f"sum(hubblewatch_subjects{{{C}}})", "workloads"),
                    Query(f"sum(hubblewatch_connections{{{C}}})", "connections"),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Partitions",
                "Given to each worker, and those that have their state back.",
                [
                    Query(
                        f"sum by (instance) (hubblewatch_assigned_partitions{{{C}}})",
                        "given to {{instance}}",
                    ),
                    Query(
                        f"sum by (instance) (hubblewatch_restored_partitions{{{C}}})",
                        "restored by {{instance}}",
                    ),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Failures, rebalances, skipped records",
                "In the last quarter of an hour: work begun again from the committed offsets, by "
                "reason; partitions given anew; records passed by.",
                [
                    Query(
                        "sum by (reason) "
                        f"(increase(hubblewatch_worker_failures_total{{{C}}}[15m]))",
                        "failures: {{reason}}",
                    ),
                    Query(f"sum(increase(hubblewatch_rebalances_total{{{C}}}[15m]))", "rebalances"),
                    Query(
                        f"sum(increase(hubblewatch_skipped_records_total{{{C}}}[15m]))", "skipped"
                    ),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Time of a transaction",
                "Median and 99th percentile, from begin to Kafka's word that it is committed.",
                [
                    Query(
                        "histogram_quantile(0.5, sum by (le) (rate("
                        f"hubblewatch_transaction_seconds_bucket{{{C}}}[$__rate_interval])))",
                        "median",
                    ),
                    Query(
                        "histogram_quantile(0.99, sum by (le) (rate("
                        f"hubblewatch_transaction_seconds_bucket{{{C}}}[$__rate_interval])))",
                        "99th percentile",
                    ),
                ],
                unit="s",
            ),
        ),
    ]
