"""The metrics of followed files follow their counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from hubblewatch.metrics.file_families import FileFamilies
from hubblewatch.source.export_file.counts import FileCounts
from hubblewatch.source.export_file.generation import Head
from hubblewatch.source.export_file.position import Place, Position

PREFIX = "hubblewatch_source_"


class Told:
    """A source that has counted something."""

    def __init__(self) -> None:
        self.counts = FileCounts()
        self.confirmed: Position = {}
        self.complete_through_ns = 0
        self.behind = 0
        self.registry = CollectorRegistry()
        self.families = FileFamilies(self.registry, self, lambda: 100.0)

    def behind_bytes(self) -> int:
        return self.behind

    def value(self, name: str, **labels: str) -> float | None:
        self.families.observe()
        return self.registry.get_sample_value(PREFIX + name, labels)


def test_totals_grow_with_the_counts() -> None:
    told = Told()
    names = (
        ("lines", "file_lines_total"),
        ("bytes", "file_bytes_total"),
        ("rotations", "file_rotations_total"),
        ("truncations", "file_truncations_total"),
        ("gaps", "gaps_total"),
        ("refused_files", "files_left_out_total"),
        ("position_failures", "file_position_failures_total"),
    )
    for number, (field, _) in enumerate(names, 3):
        setattr(told.counts, field, number)
    assert [told.value(name) for _, name in names] == [3, 4, 5, 6, 7, 8, 9]
    told.counts.rotations += 2
    assert told.value("file_rotations_total") == 7


def test_lost_lines_are_told_as_a_gap_of_the_stream() -> None:
    told = Told()
    told.counts.lost = 40
    assert told.value("lost_events_total", source="stream-gap") == 40


def test_files_and_bytes_of_now_are_shown() -> None:
    told = Told()
    told.counts.files, told.counts.waiting, told.behind = 3, 1, 5_000
    told.confirmed = {"/run/events.log": Place(1, Head(1, "a"), 777)}
    assert told.value("files") == 3
    assert told.value("files_waiting") == 1
    assert told.value("file_behind_bytes") == 5_000
    assert told.value("file_position_bytes", file="/run/events.log") == 777
    told.confirmed = {"/run/others.log": Place(1, Head(1, "a"), 5)}
    assert told.value("file_position_bytes", file="/run/others.log") == 5
    assert told.value("file_position_bytes", file="/run/events.log") is None


def test_what_is_not_complete_grows_by_the_clock_once_anything_is() -> None:
    told = Told()
    assert told.value("incomplete_seconds") is None
    told.complete_through_ns = 40_000_000_000
    assert told.value("incomplete_seconds") == 60
