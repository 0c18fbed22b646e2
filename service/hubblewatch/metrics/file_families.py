"""Metric families of followed export files as the source."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Protocol

from hubblewatch.metrics.kinds import ComputedGauge, Counter, Gauge
from hubblewatch.source.export_file.counts import FileCounts
from hubblewatch.source.export_file.position import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

MAX_SHOWN_FILES = 256


class CountsFiles(Protocol):
    """A source of followed files that counts."""

    @property
    def counts(self) -> FileCounts:
        """Totals since its start."""
        ...

    @property
    def confirmed(self) -> Position:
        """How far the lines of each file have arrived."""
        ...

    @property
    def complete_through_ns(self) -> int:
        """Event time up to which all is here; 0 before the end of the files was first reached."""
        ...

    def behind_bytes(self) -> int:
        """Bytes that are still to be read."""
        ...


class FileFamilies:
    """The families of one source, registered with ``registry``, and told by ``observe``.

    ``wall_clock`` gives seconds since the epoch.
    """

    def __init__(
        self, registry: CollectorRegistry, source: CountsFiles, wall_clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._wall_clock = wall_clock
        self._known = FileCounts()
        self._shown: set[str] = set()
        self.lines_total = Counter(
            "hubblewatch_source_file_lines_total", "Lines of followed files that were decoded."
        )
        self.bytes_total = Counter(
            "hubblewatch_source_file_bytes_total",
            "Bytes read of followed files; of compressed ones the text, skipped parts included.",
        )
        self.rotations_total = Counter(
            "hubblewatch_source_file_rotations_total",
            "Rotated files that were read to their end.",
        )
        self.truncations_total = Counter(
            "hubblewatch_source_file_truncations_total",
            "Files that were cut off or written anew under their name.",
        )
        self.gaps_total = Counter(
            "hubblewatch_source_gaps_total",
            "Places where lines are missing: rotated away, cut off or damaged before being read.",
        )
        self.lost_events_total = Counter(
            "hubblewatch_source_lost_events_total",
            "Events lost, by the source of the loss; stream-gap is an estimate of ours.",
            ("source",),
        )
        self.refused_total = Counter(
            "hubblewatch_source_files_left_out_total", "Files left out: there were too many."
        )
        self.position_failures_total = Counter(
            "hubblewatch_source_file_position_failures_total",
            "Times that the position could not be written.",
        )
        self.files = Gauge("hubblewatch_source_files", "Files followed.")
        self.waiting = Gauge(
            "hubblewatch_source_files_waiting",
            "Those of the files that are not there or cannot be read.",
        )
        self.behind_bytes = Gauge(
            "hubblewatch_source_file_behind_bytes",
            "Bytes still to be read, rotated files included; compressed ones as stored.",
        )
        self.position_bytes = Gauge(
            "hubblewatch_source_file_position_bytes",
            "How far in its present generation the lines of a file are in Kafka, as remembered.",
            ("file",),
            cap=MAX_SHOWN_FILES,
        )
        self.incomplete_seconds = ComputedGauge(
            "hubblewatch_source_incomplete_seconds",
            "How long ago the event time lies up to which all lines are here; it grows while a "
            "file is away or behind.",
            self._incomplete,
        )
        families = [value for name, value in vars(self).items() if not name.startswith("_")]
        for family in families:
            registry.register(family)
        self.observe()

    def observe(self) -> None:
        """Bring all families up to the source's counts."""
        known, now = self._known, self._source.counts
        for counter, total, before in (
            (self.lines_total, now.lines, known.lines),
            (self.bytes_total, now.bytes, known.bytes),
            (self.rotations_total, now.rotations, known.rotations),
            (self.truncations_total, now.truncations, known.truncations),
            (self.gaps_total, now.gaps, known.gaps),
            (self.refused_total, now.refused_files, known.refused_files),
            (self.position_failures_total, now.position_failures, known.position_failures),
        ):
            counter.add((), total - before)
        self.lost_events_total.add(("stream-gap",), now.lost - known.lost)
        self._known = copy(now)
        self.files.set((), now.files)
        self.waiting.set((), now.waiting)
        self.behind_bytes.set((), self._source.behind_bytes())
        for name, place in self._source.confirmed.items():
            self.position_bytes.set((name,), place.offset)
        for gone in self._shown - self._source.confirmed.keys():
            self.position_bytes.remove((gone,))
        self._shown = set(self._source.confirmed)

    def _incomplete(self) -> float | None:
        through = self._source.complete_through_ns
        return max(0.0, self._wall_clock() - through / 1e9) if through else None
