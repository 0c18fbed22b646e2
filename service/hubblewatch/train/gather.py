"""Rows of recordings and of simulated clusters: each through a pipeline of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
from msgspec import Struct

from hubblewatch.assemble import pipeline_settings
from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.model.matrix import Flags
from hubblewatch.pipeline import Closed, Pipeline
from hubblewatch.settings import Settings
from hubblewatch.simulate import SimulationConfig, Truth, simulate
from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import Recording
from hubblewatch.train.collect import Collector, LeftOut, Rows, totals
from hubblewatch.window.closed import Subject

BATCH_LINES = 500


class Gathered(Struct, frozen=True):
    """The rows of one source. ``attacked`` marks rows of an attack's subjects while it ran, and
    ``began`` is the window in which it did, -1 without one. ``spans`` are begin and end of the
    windows read, epoch seconds, by number, and ``left_out_in`` what was left out of them."""

    source: str
    rows: Rows
    attacked: Flags
    began: int
    spans: dict[int, tuple[int, int]]
    left_out_in: LeftOut

    @property
    def first(self) -> str:
        """Event time at which the windows begin; empty without any."""
        return format_seconds(min(self.spans.values())[0]) if self.spans else ""

    @property
    def last(self) -> str:
        """Event time at which the windows end; empty without any."""
        return format_seconds(max(end for _, end in self.spans.values())) if self.spans else ""

    @property
    def left_out(self) -> dict[str, int]:
        """How many windows were left out, by why."""
        return totals(self.left_out_in)

    @property
    def usable(self) -> Flags:
        """Rows of quiet windows: neither alerted nor attacked."""
        return np.asarray(self.rows.quiet & ~self.attacked, dtype=bool)


def simulated_batches(config: SimulationConfig, truth: Truth) -> Iterator[list[Line]]:
    """Give a simulation's lines, decoded, in batches."""
    lines = simulate(config, truth)
    while batch := [line.rstrip(b"\n") for line in islice(lines, BATCH_LINES)]:
        yield list(decode_lines(batch, lambda _: None))


def gather_simulated(config: SimulationConfig, settings: Settings) -> Gathered:
    """Simulate a cluster and collect what the forest would see of it."""
    truth = Truth(on_window=lambda _: None)
    collector = _collect(simulated_batches(config, truth), settings)
    rows = collector.rows()
    attacked = np.zeros(len(rows.values), dtype=bool)
    began = -1
    window_ns = settings.window.size_seconds * 1_000_000_000
    for label in truth.labels:
        if label.kind != "attack":
            continue
        began = label.start_ns // window_ns
        subjects = [collector.place_of(Subject(*subject)) for subject in label.subjects]
        during = (rows.numbers >= began) & (rows.numbers <= label.end_ns // window_ns)
        attacked |= during & np.isin(rows.subjects, subjects)
    scenarios = "".join(f" {spec.name}" for spec in config.scenarios)
    rate = "" if config.rate is None else f" rate {config.rate:g}"
    source = f"seed {config.seed} {config.size}{rate} {config.minutes:g} min{scenarios}"
    return Gathered(source, rows, attacked, began, collector.spans, collector.left_out)


def gather_recordings(
    recordings: list[Recording], settings: Settings, on_reject: Callable[[Reject], None]
) -> Gathered:
    """Collect what the forest would see of recordings, merged by time.

    ``on_reject`` is told of each line that cannot be decoded, or that the pipeline refuses.
    """
    batches = (list(batch) for batch in in_time_order(recordings, on_reject))
    collector = _collect(batches, settings, on_reject)
    rows = collector.rows()
    nothing = np.zeros(len(rows.values), dtype=bool)
    source = ", ".join(recording.name.rsplit("/", 1)[-1] for recording in recordings)
    return Gathered(source, rows, nothing, -1, collector.spans, collector.left_out)


def split_by_time(gathered: Gathered, share: float) -> tuple[Gathered, Gathered]:
    """Cut into an earlier part with about so large a share of the windows, and the rest.

    Each tells of its own windows only; what was left out without a number is told by the earlier.
    """
    numbers = gathered.rows.numbers
    if not len(numbers):
        return gathered, gathered
    cut = int(numbers[min(int(len(numbers) * share), len(numbers) - 1)])

    def part(is_earlier: bool) -> Gathered:
        rows = gathered.rows
        keep = (numbers < cut) == is_earlier
        kept = Rows(rows.values[keep], rows.numbers[keep], rows.subjects[keep], rows.quiet[keep])
        spans = {n: span for n, span in gathered.spans.items() if (n < cut) == is_earlier}
        left_out = {
            why: Counter({n: count for n, count in counts.items() if (n < cut) == is_earlier})
            for why, counts in gathered.left_out_in.items()
        }
        return Gathered(
            gathered.source, kept, gathered.attacked[keep], gathered.began, spans, left_out
        )

    return part(True), part(False)


def _collect(
    batches: Iterable[list[Line]],
    settings: Settings,
    on_reject: Callable[[Reject], None] = lambda _: None,
) -> Collector:
    collector = Collector()
    pipeline = Pipeline(
        pipeline_settings(settings),
        [*build_detectors(settings.detectors), collector],
        PARENTS,
        on_reject,
    )

    def settle(closings: list[Closed]) -> None:
        for closed in closings:
            collector.settle(closed.closing)

    for batch in batches:
        settle(pipeline.take(batch))
    settle(pipeline.finish())
    return collector
