"""The metric families that only the worker has; all others are in ``hubblewatch.metrics``."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

FAILURE_REASONS = ("kafka", "fenced", "jump", "defect", "faust", "other")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WorkerFamilies:
    """Families about partitions, transactions and what went wrong with them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A second series for each counter that nobody here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.transaction_seconds = Histogram(
            "hubblewatch_transaction_seconds",
            "Time from the begin of a closing's transaction to Kafka's word that it is committed.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.failures = Counter(
            "hubblewatch_worker_failures_total",
            "Failures after which partitions were read again from the committed offsets. kafka: "
            "not answered or refused; fenced: another worker had the partition; jump: a record "
            "came out of order; defect: an error of this program; faust: the consumer failed.",
            ("reason",),
            registry=registry,
        )
        self.runs = Counter(
            "hubblewatch_worker_runs_total",
            "Times that this process joined the consumer group.",
            registry=registry,
        )
        self.rebalances = Counter(
            "hubblewatch_rebalances_total",
            "Assignments of partitions that this worker was given.",
            registry=registry,
        )
        self.assigned_partitions = Gauge(
            "hubblewatch_assigned_partitions",
            "Partitions that this worker has.",
            registry=registry,
        )
        self.restored_partitions = Gauge(
            "hubblewatch_restored_partitions",
            "Partitions of this worker that have their state back.",
            registry=registry,
        )
        self.restored_records = Counter(
            "hubblewatch_restored_records_total",
            "State records read back at assignments.",
            registry=registry,
        )
        self.restore_seconds = Histogram(
            "hubblewatch_restore_seconds",
            "Time to fence a partition's former owner and read its state back.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.broken_state_records = Counter(
            "hubblewatch_broken_state_records_total",
            "State records that could not be read; their subjects start anew.",
            registry=registry,
        )
        self.missing_records = Counter(
            "hubblewatch_missing_records_total",
            "Records that the flow topic should have given and did not: gone by retention, or "
            "never there, as the markers of a transactional producer.",
            registry=registry,
        )
        self.skipped_records = Counter(
            "hubblewatch_skipped_records_total",
            "Records passed by since the pipeline failed on them again and again.",
            registry=registry,
        )
        self.lost_rejects = Counter(
            "hubblewatch_lost_rejects_total",
            "Refused lines that were counted but not kept in the topic of rejects.",
            registry=registry,
        )
        for reason in FAILURE_REASONS:
            self.failures.labels(reason)

    def count_failure(self, reason: str) -> None:
        """Count a failure; an unknown reason is ``other``."""
        self.failures.labels(reason if reason in FAILURE_REASONS else "other").inc()
