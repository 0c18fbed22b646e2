"""Metric families with a hard bound on their series, for labels that a cluster's size multiplies.

A family holds at most ``cap`` series. When it is full, a further label set folds into a bucket: the
labels that carry the identity (namespace, workload) become ``other`` and the rest stay, so that
"denied attempts" still add up. Buckets do not count against the cap but are bounded too. A
namespace that is really called ``other`` shares the bucket of its remaining labels.

**Folding is counted twice.** ``folded_updates`` counts every update that went to a bucket.
``folded_series`` counts the distinct label sets, as a lower bound: the last ``FOLDED_REMEMBERED``
are told apart, what is beyond adds to the updates only, and after room was freed a label set that
folds again counts again.

**A dropped counter never looks like traffic.** A series that expires vanishes with its value: the
value is not moved into a bucket, whose rate would jump by a history, and no series that stays is
ever lowered. A label set that returns starts at zero with what is new, so that ``rate()``, which
reads a lower value as a reset and counts the new value only, counts exactly what happened since.
The one inexact case errs low: dropped and back between two scrapes, with a higher value than
before. Expire after much longer than a scrape interval and it does not occur.

**A scrape does not hold up updates.** Updates and scrapes share a lock, which the scrape holds only
to copy the list of series (tens of microseconds when full); values are immutable and read after it,
each whole, without a common instant. ``prometheus_client``'s own child objects take a lock each and
cannot be bounded, which is why they are not used.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from hubblewatch.metrics.labels import OTHER, clean_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client.metrics_core import Metric

Labels = tuple[str, ...]
V = TypeVar("V")

DEFAULT_CAP = 2_000
"""Series of one family: what one Prometheus target can afford several times over."""

OTHER_BUCKETS = 256
"""Buckets of one family; its remaining labels come from closed sets, so this is a second fence."""

FOLDED_REMEMBERED = 10_000
"""Folded label sets that are told apart, some 2 MB of memory at the worst."""

IDENTITY_LABELS = ("namespace", "workload")


class Series(Generic[V]):
    """One label set's value and the time of its last update."""

    __slots__ = ("at", "labels", "value")

    def __init__(self, labels: Labels, value: V, at: float) -> None:
        self.labels = labels
        self.value = value
        self.at = at


class CappedFamily(Generic[V]):
    """Series by label values, at most ``cap`` and the buckets. Safe to update from any thread."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        zero: V,
        cap: int = DEFAULT_CAP,
    ) -> None:
        """``labels`` names the labels; without namespace and workload all of them fold."""
        if cap < 1:
            raise ValueError(f"{name}: a family needs room for one series, not {cap}")
        self.name = name
        self.documentation = documentation
        self.label_names = tuple(labels)
        self.cap = cap
        self.folded_updates = 0
        self.folded_series = 0
        identity = {n for n in IDENTITY_LABELS if n in self.label_names} or set(self.label_names)
        self._folds = tuple(n in identity for n in self.label_names)
        self._zero = zero
        self._lock = threading.Lock()
        self._series: dict[Labels, Series[V]] = {}
        self._buckets: dict[Labels, Series[V]] = {}
        self._folded: dict[Labels, Series[V]] = {}

    def __len__(self) -> int:
        """Series exposed, buckets included."""
        return len(self._series) + len(self._buckets)

    def snapshot(self) -> list[tuple[Labels, V]]:
        """Label values and value of every series; a copy that later updates do not change."""
        with self._lock:
            series = [*self._series.values(), *self._buckets.values()]
        return [(one.labels, one.value) for one in series]

    def get(self, labels: Labels) -> V | None:
        """The value of a label set that has its own series or bucket, else None."""
        found = self._series.get(labels) or self._buckets.get(labels)
        return found.value if found is not None else None

    def expire(self, before: float) -> int:
        """Drop the series last updated before ``before``; how many. Buckets stay."""
        with self._lock:
            gone = [labels for labels, series in self._series.items() if series.at < before]
            for labels in gone:
                del self._series[labels]
            if gone:
                self._folded.clear()
        return len(gone)

    def remove(self, labels: Labels) -> bool:
        """Drop one series; whether there was one."""
        with self._lock:
            # The only series of a family without labels is kept as a bucket.
            kept = self._series if self.label_names else self._buckets
            found = kept.pop(tuple(map(clean_label, labels)), None) is not None
            if found:
                self._folded.clear()
        return found

    def describe(self) -> Iterable[Metric]:
        """The family without series, by which a registry refuses a second one of the name."""
        return [self._family()]

    def _family(self) -> Metric:
        raise NotImplementedError

    def _place(self, labels: Labels, at: float) -> Series[V]:
        """The series for a label set that has none under this very spelling; lock held."""
        folded = self._folded.get(labels)
        if folded is not None:
            self.folded_updates += 1
            return folded
        clean = tuple(map(clean_label, labels))
        if len(clean) != len(self.label_names):
            raise ValueError(f"{self.name} has labels {self.label_names}, not {labels!r}")
        series = self._series.get(clean)
        if series is not None:
            return series
        bucket_labels = tuple(
            OTHER if folds else value for folds, value in zip(self._folds, clean, strict=True)
        )
        if clean == bucket_labels:
            return self._bucket(bucket_labels, at)
        if len(self._series) < self.cap:
            series = self._series[clean] = Series(clean, self._zero, at)
            return series
        bucket = self._bucket(bucket_labels, at)
        self.folded_updates += 1
        if clean not in self._folded and len(self._folded) < FOLDED_REMEMBERED:
            self.folded_series += 1
            self._folded[clean] = bucket
        return bucket

    def _bucket(self, labels: Labels, at: float) -> Series[V]:
        bucket = self._buckets.get(labels)
        if bucket is None:
            if len(self._buckets) >= OTHER_BUCKETS:
                labels = (OTHER,) * len(labels)
            bucket = self._buckets.setdefault(labels, Series(labels, self._zero, at))
        return bucket
