"""Windows read from their topic teach a forest what the recording would have taught it."""

from __future__ import annotations

from itertools import groupby

import msgspec
import numpy as np
import pytest

from hubblewatch.assemble import pipeline_settings
from hubblewatch.detectors.registry import PARENTS, build_detectors
from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka.window_range import TimeRange
from hubblewatch.pipeline import Pipeline
from hubblewatch.settings import Settings
from hubblewatch.simulate import ScenarioSpec, SimulationConfig, Truth
from hubblewatch.train.collect import Collector
from hubblewatch.train.gather import Gathered, gather_simulated, simulated_batches, split_by_time
from hubblewatch.train.topic import WindowsTrainer, parse_range
from hubblewatch.window.closed import WindowRecord
from hubblewatch.window.recorded import decode_window

CONFIG = SimulationConfig(
    seed=41,
    minutes=30,
    rate=2.0,
    scenarios=(ScenarioSpec("udp-flood", 15.0, 5.0),),
)


@pytest.fixture(scope="module")
def recorded() -> list[list[WindowRecord]]:
    """The windows of a cluster with an alert as they come back from the topic, by time."""
    settings = Settings()
    pipeline = Pipeline(pipeline_settings(settings), build_detectors(settings.detectors), PARENTS)
    closed = []
    for batch in simulated_batches(CONFIG, Truth(on_window=lambda _: None)):
        closed += pipeline.take(batch)
    closed += pipeline.finish()
    records = [
        decode_window(msgspec.json.encode(window.record()))
        for one in closed
        for window in one.closing.windows
    ]
    return [list(group) for _, group in groupby(records, key=lambda record: record.start)]


@pytest.fixture(scope="module")
def wanted() -> Gathered:
    """What the recording itself gives."""
    return gather_simulated(CONFIG, Settings())


def trained(recorded: list[list[WindowRecord]]) -> WindowsTrainer:
    trainer = WindowsTrainer()
    for records in recorded:
        trainer.take(records)
    return trainer


def test_windows_of_the_topic_give_the_rows_of_the_recording(
    recorded: list[list[WindowRecord]], wanted: Gathered
) -> None:
    found = trained(recorded).gathered("topic")
    assert len(wanted.rows.values) > 300
    np.testing.assert_array_equal(found.rows.values, wanted.rows.values)
    np.testing.assert_array_equal(found.rows.subjects, wanted.rows.subjects)
    assert (found.first, found.last) == (wanted.first, wanted.last)


def test_windows_under_alert_are_left_out_as_of_the_recording(
    recorded: list[list[WindowRecord]], wanted: Gathered
) -> None:
    found = trained(recorded).gathered("topic")
    assert found.left_out == wanted.left_out
    assert found.left_out["alerted"] > 0
    np.testing.assert_array_equal(found.rows.quiet, wanted.rows.quiet)


def test_partitions_that_saw_a_window_differently_teach_each_its_own_way(
    recorded: list[list[WindowRecord]],
) -> None:
    half = [
        [msgspec.structs.replace(r, complete=r.namespace < "m") for r in records]
        for records in recorded
    ]
    incomplete = sum(not r.complete for records in half for r in records)
    found = trained(half).gathered("topic")
    assert 0 < found.left_out["incomplete"] == incomplete
    assert len(found.rows.values)


def test_windows_of_an_older_format_are_left_out(recorded: list[list[WindowRecord]]) -> None:
    old = [[msgspec.structs.replace(r, format=0) for r in records] for records in recorded]
    old[0] = [msgspec.structs.replace(r, end="soon") for r in old[0]]
    trainer = trained(old)
    found = trainer.gathered("topic")
    assert found.left_out["of an older format"] == sum(map(len, recorded))
    assert not len(found.rows.values)
    assert (found.first, found.last) == ("", "")


def test_windows_whose_edges_were_cut_are_left_out(recorded: list[list[WindowRecord]]) -> None:
    cut = [[msgspec.structs.replace(r, edge_count=9_999) for r in records] for records in recorded]
    found = trained(cut).gathered("topic")
    assert found.left_out["with too many edges"] == sum(map(len, recorded))


def test_a_cut_divides_what_was_left_out_of_the_topic(recorded: list[list[WindowRecord]]) -> None:
    old = [
        [msgspec.structs.replace(r, format=r.format * (place not in (2, 27))) for r in records]
        for place, records in enumerate(recorded)
    ]
    trainer = trained(old)
    trainer.leave_out("unreadable", 7)
    earlier, later = split_by_time(trainer.gathered("topic"), 0.5)
    assert earlier.left_out["of an older format"] == len(recorded[2])
    assert later.left_out["of an older format"] == len(recorded[27])
    assert earlier.left_out["unreadable"] == 7
    assert later.left_out["unreadable"] == 0
    assert (earlier.first, later.last) == (recorded[0][0].start, recorded[-1][0].end)


def test_more_rows_than_are_held_leave_whole_histories_of_fewer_subjects(
    recorded: list[list[WindowRecord]],
) -> None:
    whole, thinned = trained(recorded), WindowsTrainer()
    thinned.collector = Collector(max_rows=200)
    for records in recorded:
        thinned.take(records)
    rows, kept = whole.collector.rows(), thinned.collector.rows()
    assert 0 < len(kept.values) <= 200
    assert len(rows.values) - len(kept.values) == thinned.gathered("topic").left_out["thinned"]
    assert (~kept.quiet).sum() == thinned.gathered("topic").left_out["alerted"]
    for number in np.unique(kept.subjects):
        history = kept.values[kept.subjects == number]
        assert any(
            np.array_equal(history, rows.values[rows.subjects == other])
            for other in np.unique(rows.subjects)
        )


@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [
        (None, None, TimeRange()),
        ("14d", None, TimeRange(since=2_000_000_000 - 14 * 86_400)),
        ("36h", "90m", TimeRange(2_000_000_000 - 36 * 3_600, 2_000_000_000 - 5_400)),
        ("2026-01-02T03:04:05Z", None, TimeRange(since=1_767_323_045)),
    ],
)
def test_a_range_is_told_by_times_or_by_how_long_ago(
    since: str | None, until: str | None, wanted: TimeRange
) -> None:
    assert parse_range(since, until, now=2_000_000_000) == wanted


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("yesterday", None, "--since"),
        (None, "14 days", "--until"),
        ("1d", "2d", "earlier"),
    ],
)
def test_a_wrong_range_is_refused(since: str | None, until: str | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_range(since, until, now=2_000_000_000)
