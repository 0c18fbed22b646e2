"""The kinds of family: counter, gauge, summary, and a gauge computed when scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from hubblewatch.metrics.capped import DEFAULT_CAP, CappedFamily, Labels, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Claim = Series[float]
"""What one holder adds to a gauge; given back with ``Gauge.release``."""


class Counter(CappedFamily[float]):
    """A capped counter; the docstring of ``capped`` says what a drop means to ``rate()``."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, cap: int = DEFAULT_CAP
    ) -> None:
        super().__init__(name, documentation, labels, zero=0.0, cap=cap)

    def add(self, labels: Labels, amount: float = 1.0, at: float = 0.0) -> None:
        """Add ``amount``, never negative, to the series of ``labels`` (in the names' order)."""
        if amount < 0:
            raise ValueError(f"{self.name} is a counter and cannot fall by {-amount}")
        with self._lock:
            series = self._series.get(labels) or self._place(labels, at)
            series.value += amount
            series.at = at

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self.name, self.documentation, labels=self.label_names)

    def collect(self) -> Iterable[Metric]:
        """The family with a sample a series."""
        family = self._family()
        for labels, value in self.snapshot():
            family.add_metric(labels, value)
        return [family]


class Gauge(CappedFamily[float]):
    """A capped gauge, either set, or counted up and down by those who hold a claim on it."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, cap: int = DEFAULT_CAP
    ) -> None:
        super().__init__(name, documentation, labels, zero=0.0, cap=cap)

    def set(self, labels: Labels, value: float, at: float = 0.0) -> None:
        """Set a series. For label sets that are few by nature: in a bucket the last one wins."""
        with self._lock:
            series = self._series.get(labels) or self._place(labels, at)
            series.value = value
            series.at = at

    def claim(self, labels: Labels, at: float = 0.0) -> Claim:
        """Raise the series of ``labels``, or its bucket, by one until the claim is released.

        The claim remembers where it was counted, so that it leaves the bucket again although by
        then there may be room for a series of its own.
        """
        with self._lock:
            series = self._series.get(labels) or self._place(labels, at)
            series.value += 1
            series.at = at
            return series

    def release(self, claim: Claim) -> None:
        """Take a claim back, once. At zero its series is dropped, which frees room."""
        with self._lock:
            claim.value -= 1
            if claim.value > 0:
                return
            if self._series.get(claim.labels) is claim:
                del self._series[claim.labels]
                self._folded.clear()
            elif self._buckets.get(claim.labels) is claim:
                del self._buckets[claim.labels]
                self._folded.clear()

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.documentation, labels=self.label_names)

    def collect(self) -> Iterable[Metric]:
        """The family with a sample a series."""
        family = self._family()
        for labels, value in self.snapshot():
            family.add_metric(labels, value)
        return [family]


class Summary(CappedFamily[tuple[int, float]]):
    """A capped summary: count and sum of what was observed, without quantiles."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, cap: int = DEFAULT_CAP
    ) -> None:
        super().__init__(name, documentation, labels, zero=(0, 0.0), cap=cap)

    def observe(self, labels: Labels, value: float, at: float = 0.0) -> None:
        """Count one observation of ``labels``."""
        with self._lock:
            series = self._series.get(labels) or self._place(labels, at)
            count, total = series.value
            # One tuple, so that a scrape never reads a count without its sum.
            series.value = (count + 1, total + value)
            series.at = at

    def add_many(self, labels: Labels, number: int, total: float, at: float = 0.0) -> None:
        """Count ``number`` observations of ``labels`` that sum up to ``total``."""
        with self._lock:
            series = self._series.get(labels) or self._place(labels, at)
            series.value = (series.value[0] + number, series.value[1] + total)
            series.at = at

    def _family(self) -> SummaryMetricFamily:
        return SummaryMetricFamily(self.name, self.documentation, labels=self.label_names)

    def collect(self) -> Iterable[Metric]:
        """The family with a count and a sum a series."""
        family = self._family()
        for labels, (count, total) in self.snapshot():
            family.add_metric(labels, count, total)
        return [family]


class ComputedGauge:
    """A gauge without labels that is computed when scraped, so that it moves while all else stands.

    ``compute`` is called on the scraping thread; None leaves the family without a sample.
    """

    def __init__(self, name: str, documentation: str, compute: Callable[[], float | None]) -> None:
        self.name = name
        self.documentation = documentation
        self._compute = compute

    def describe(self) -> Iterable[Metric]:
        """The family without its sample."""
        return [GaugeMetricFamily(self.name, self.documentation)]

    def collect(self) -> Iterable[Metric]:
        """The family, with one sample where there is a value."""
        return [GaugeMetricFamily(self.name, self.documentation, value=self._compute())]


class FoldedSeries:
    """What families folded for want of room, by family."""

    def __init__(self, families: Sequence[CappedFamily[Any]]) -> None:
        self._families = tuple(families)

    def describe(self) -> Iterable[Metric]:
        """The two families without series."""
        return self._empty()

    def collect(self) -> Iterable[Metric]:
        """Distinct label sets and updates folded, a sample a capped family."""
        series, updates = self._empty()
        for family in self._families:
            series.add_metric((family.name,), family.folded_series)
            updates.add_metric((family.name,), family.folded_updates)
        return [series, updates]

    def _empty(self) -> tuple[CounterMetricFamily, CounterMetricFamily]:
        return (
            CounterMetricFamily(
                "hubblewatch_folded_series",
                "Distinct label sets that went to an 'other' bucket because their family was full "
                "(a lower bound).",
                labels=("family",),
            ),
            CounterMetricFamily(
                "hubblewatch_folded_updates",
                "Updates that went to an 'other' bucket because their family was full.",
                labels=("family",),
            ),
        )
