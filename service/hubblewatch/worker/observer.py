"""What the worker shows of itself: metrics, health, and the alerts that are active."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

from msgspec import Struct

from hubblewatch.alert.record import encode_alert
from hubblewatch.flow.reject import Reject
from hubblewatch.metrics import Metrics
from hubblewatch.metrics.watching import PipelineMetrics
from hubblewatch.pipeline import Closed
from hubblewatch.serve import AlertBoard, Health
from hubblewatch.state import Restored
from hubblewatch.worker.errors import DefectError, RunError
from hubblewatch.worker.metrics import WorkerFamilies
from hubblewatch.worker.partition import PartitionState
from hubblewatch.worker.rejects import DEFECT

LOOP = "event-loop"

FAILING_FROM = 2
"""Failed runs in a row, from which on only a commit is progress for the partitions that failed.
After the first one, reading what was read before is, for it has to be; the next one shows that it
was in vain. Runs and not failures of one partition, for the first one that fails ends the run for
all."""

REMEMBERED_SECONDS = 120.0
"""How long the failures of a partition that went elsewhere count, should it come back: several
workers may hand one that none can commit round and round."""


class _Failing(Struct):
    """A partition whose opening or commit failed, with no commit since."""

    since: float
    """When it had moved last before, or its wait began."""
    at: float
    """When it failed last."""


class _Shown:
    """A partition whose counts are shown."""

    def __init__(self, state: PartitionState, metrics: Metrics) -> None:
        self.state = state
        self.pipeline = PipelineMetrics(metrics, state.pipeline, str(state.number))
        self.gaps = 0


class WorkerObserver:
    """Told of all partitions by one event loop, asked by the threads of the HTTP server.

    ``keep_reject`` takes a refused line that the topic of rejects is to hold. ``clock`` is
    monotonic seconds.

    A partition's progress is what it commits; what it reads on the way to that counts as long as
    the commits come about.
    """

    def __init__(
        self,
        metrics: Metrics,
        families: WorkerFamilies,
        health: Health,
        board: AlertBoard,
        keep_reject: Callable[[str, str, str, bytes], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._metrics = metrics
        self._families = families
        self._health = health
        self._board = board
        self._keep_reject = keep_reject
        self._clock = clock
        self._shown: dict[int, _Shown] = {}
        self._assigned: frozenset[int] = frozenset()
        self._failing: dict[int, _Failing] = {}
        self._failed_runs = 0
        self._has_failed = False
        # It must always move, so it always has something to do.
        health.lag(LOOP, 1)

    def assigned(self, numbers: frozenset[int]) -> None:
        """The group has given partitions."""
        self._families.rebalances.inc()
        self._families.assigned_partitions.set(len(numbers))
        self._assigned = numbers
        for number in self._failing.keys() - numbers:
            if not self._is_failing(number):
                self._health.forget(_component(number))

    def opened(self, state: PartitionState, found: Restored, seconds: float) -> None:
        """A partition was restored; what was open then is open now."""
        number, stream = state.number, str(state.number)
        shown = self._shown[number] = _Shown(state, self._metrics)
        families = self._families
        families.restored_records.inc(found.records)
        families.restore_seconds.observe(seconds)
        families.broken_state_records.inc(len(found.broken))
        families.restored_partitions.set(len(self._shown))
        standing = state.pipeline.incidents.standing()
        self._metrics.restore(standing, stream)
        for alert in standing:
            self._board.record(encode_alert(alert), stream)
        self._count_gaps(shown)
        self._move(number)

    def committed(self, number: int, closed: Closed) -> None:
        """A closing is in the log."""
        shown = self._shown.get(number)
        if shown is not None:
            shown.pipeline.observe(closed)
        for alert in closed.alerts:
            self._board.record(encode_alert(alert), str(number))

    def transaction(self, number: int, seconds: float) -> None:
        """A transaction is committed."""
        self._families.transaction_seconds.observe(seconds)
        if self._failing.pop(number, None) is not None:
            self._health.explain(_component(number), "")
            self._note_end_of_failing()
        self._move(number)

    def failed(self, number: int, error: RunError) -> None:
        """A partition must be read again.

        Counted where the run's end is; several partitions may fail in one.
        """
        if isinstance(error, DefectError):
            return  # of itself it ends: the record is passed by
        self._has_failed = True
        now, component = self._clock(), _component(number)
        self._health.lag(component, 1)
        self._health.explain(component, str(error))
        failing = self._failing.get(number)
        if failing is None:
            shown = self._health.report()["components"][component]
            since = now - shown["seconds_without_progress"]
            failing = self._failing[number] = _Failing(since, now)
        failing.at = now
        if self._failed_runs + 1 >= FAILING_FROM:
            for other, known in self._failing.items():
                self._health.set_back(_component(other), known.since)

    def taken(self, number: int) -> None:
        """A record was counted."""
        self._move(number)

    def skipped(self, number: int, value: bytes | None, offset: int) -> None:
        """A record was passed by."""
        self._families.skipped_records.inc()
        place = f"partition {number} offset {offset}"
        self._keep_reject(DEFECT, place, "the pipeline failed on this record", value or b"")

    def refused(self, reject: Reject) -> None:
        """A line was refused."""
        self._keep_reject(reject.reason, reject.place, reject.detail, reject.excerpt)

    def given_up(self, number: int) -> None:
        """A partition is another worker's, or will be read again."""
        shown = self._shown.pop(number, None)
        if shown is not None:
            shown.pipeline.observe_intake()
            self._count_gaps(shown)
        self._metrics.forget(str(number))
        self._board.forget(str(number))
        # One that failed still waits for its commit, whatever is done meanwhile to begin again.
        if number not in self._failing:
            self._health.forget(_component(number))
        self._families.restored_partitions.set(len(self._shown))

    def ended(self, reason: str | None) -> None:
        """A run is over; ``reason`` tells what failed, if anything did."""
        self._families.assigned_partitions.set(0)
        self._failed_runs += self._has_failed
        self._has_failed = False
        if reason is not None:
            self._families.count_failure(reason)

    def tick(self) -> None:
        """The event loop moves."""
        self._health.progress(LOOP)
        for number in self._failing.keys() - self._assigned:
            if self._clock() - self._failing[number].at > REMEMBERED_SECONDS:
                del self._failing[number]
                self._health.forget(_component(number))
                self._note_end_of_failing()
        for shown in self._shown.values():
            shown.pipeline.observe_intake()
            self._count_gaps(shown)

    def lags(self, lags: Mapping[int, int]) -> None:
        """Records that wait in Kafka, of each partition that could be asked for."""
        for number, lag in lags.items():
            # What a failing one has read waits all the same.
            self._health.lag(_component(number), max(lag, self._is_failing(number)))
            self._metrics.set_consumer_lag(str(number), lag)
        for number in self._assigned - lags.keys():
            self._metrics.set_consumer_lag(str(number), None)

    def kafka_away(self) -> None:
        """Kafka is away: no restart would bring it back, so that is nothing for ``/healthz``."""
        for number in self._assigned | self._failing.keys():
            self._health.forget(_component(number))
            self._metrics.set_consumer_lag(str(number), None)
        self._failing.clear()
        self._note_end_of_failing()

    def _is_failing(self, number: int) -> bool:
        return number in self._failing and self._failed_runs >= FAILING_FROM

    def _note_end_of_failing(self) -> None:
        if not self._failing:
            self._failed_runs = 0

    def _move(self, number: int) -> None:
        if not self._is_failing(number):
            self._health.progress(_component(number))

    def _count_gaps(self, shown: _Shown) -> None:
        gaps = shown.state.gaps
        self._families.missing_records.inc(gaps - shown.gaps)
        shown.gaps = gaps


def _component(number: int) -> str:
    return f"partition-{number}"
