"""Panels of the exporters: what they read, how Hubble and Kafka treat them, what waits."""

from __future__ import annotations

from deploy.grafana.panels import CLUSTER, Placed, Query, row, series

C = CLUSTER
RATE = "$__rate_interval"


def exporter_panels() -> list[Placed]:
    """How the flows come to Kafka: width, height, panel."""
    return [
        (24, 1, row("Exporter")),
        (
            8,
            7,
            series(
                "Flows sent",
                "Of each exporter, and lines that it could not use, by reason.",
                [
                    Query(
                        f"sum by (instance) (rate(hubblewatch_exporter_flows_total{{{C}}}[{RATE}]))"
                    ),
                    Query(
                        "sum by (reason) "
                        f"(rate(hubblewatch_exporter_rejected_lines_total{{{C}}}[{RATE}]))",
                        "rejected: {{reason}}",
                    ),
                ],
                unit="eps",
            ),
        ),
        (
            8,
            7,
            series(
                "Promised watermark behind the clock",
                "Windows can close no sooner; the allowed lateness and a few seconds are usual. "
                "None for a recording.",
                [
                    Query(
                        f"max by (instance) (hubblewatch_exporter_watermark_lag_seconds{{{C}}})",
                        "{{instance}}",
                    ),
                    Query(
                        f"max by (instance) (hubblewatch_source_incomplete_seconds{{{C}}})",
                        "source of {{instance}}",
                    ),
                ],
                unit="s",
            ),
        ),
        (
            8,
            7,
            series(
                "Waiting for Kafka",
                "Records handed in and not acknowledged, in memory and in the spool.",
                [
                    Query(
                        f"max by (instance) (hubblewatch_exporter_pending_records{{{C}}})",
                        "memory: {{instance}}",
                    ),
                    Query(
                        f"max by (instance) (hubblewatch_exporter_spool_envelopes{{{C}}})",
                        "spool: {{instance}}",
                    ),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Connected to Hubble and Kafka",
                "1 while Hubble answers, and while a producer is at work; reconnects to Hubble in "
                "the last quarter of an hour, by reason.",
                [
                    Query(
                        f"max by (instance) (hubblewatch_source_connected{{{C}}})",
                        "Hubble: {{instance}}",
                    ),
                    Query(
                        f"max by (instance) (hubblewatch_exporter_kafka_connected{{{C}}})",
                        "Kafka: {{instance}}",
                    ),
                    Query(
                        "sum by (reason) "
                        f"(increase(hubblewatch_source_reconnects_total{{{C}}}[15m]))",
                        "reconnects: {{reason}}",
                    ),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Lost before the exporter",
                "By instance and source of the loss; stream-gap is an estimate.",
                [
                    Query(
                        "sum by (instance, source) "
                        f"(rate(hubblewatch_source_lost_events_total{{{C}}}[{RATE}]))",
                        "{{instance}}: {{source}}",
                    )
                ],
                unit="eps",
            ),
        ),
        (
            8,
            7,
            series(
                "Acknowledged by Kafka",
                "Bytes before compression.",
                [
                    Query(
                        f"sum by (instance) (rate(hubblewatch_exporter_bytes_total{{{C}}}[{RATE}]))"
                    )
                ],
                unit="Bps",
            ),
        ),
        (
            8,
            7,
            series(
                "Time to Kafka's acknowledgement",
                "Of a record, on average.",
                [
                    Query(
                        "sum by (instance) "
                        f"(rate(hubblewatch_exporter_publish_seconds_sum{{{C}}}[{RATE}])) / "
                        "sum by (instance) "
                        f"(rate(hubblewatch_exporter_records_total{{{C}}}[{RATE}]))"
                    )
                ],
                unit="s",
            ),
        ),
        (
            8,
            7,
            series(
                "Spool on disk",
                "Bytes of each spool; none where none is set.",
                [
                    Query(
                        f"max by (instance) (hubblewatch_exporter_spool_bytes{{{C}}})",
                        "{{instance}}",
                    ),
                ],
                unit="bytes",
            ),
        ),
        (
            8,
            7,
            series(
                "Oldest in the spool, and what was dropped",
                "Age in seconds of the oldest record that Kafka does not have; records dropped in "
                "the last quarter of an hour, by reason.",
                [
                    Query(
                        f"max by (instance) (hubblewatch_exporter_spool_oldest_seconds{{{C}}})",
                        "age: {{instance}}",
                    ),
                    Query(
                        "sum by (reason) "
                        f"(increase(hubblewatch_exporter_spool_dropped_total{{{C}}}[15m]))",
                        "dropped: {{reason}}",
                    ),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Followed files",
                "Files, and those that are away.",
                [
                    Query(f"max by (instance) (hubblewatch_source_files{{{C}}})", "{{instance}}"),
                    Query(
                        f"max by (instance) (hubblewatch_source_files_waiting{{{C}}})",
                        "away: {{instance}}",
                    ),
                ],
                unit="short",
            ),
        ),
        (
            8,
            7,
            series(
                "Still to be read of followed files",
                "Rotated files included; compressed ones as stored.",
                [
                    Query(
                        f"max by (instance) (hubblewatch_source_file_behind_bytes{{{C}}})",
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
                "Cut off, rotated, not remembered",
                "Files in the last quarter of an hour, and positions that could not be written.",
                [
                    Query(
                        f"sum(increase(hubblewatch_source_file_rotations_total{{{C}}}[15m]))",
                        "rotated",
                    ),
                    Query(
                        f"sum(increase(hubblewatch_source_file_truncations_total{{{C}}}[15m]))",
                        "cut off",
                    ),
                    Query(
                        "sum(increase("
                        f"hubblewatch_source_file_position_failures_total{{{C}}}[15m]))",
                        "position not written",
                    ),
                ],
                unit="short",
            ),
        ),
    ]
