"""Where a watch goes on, by what it remembers and what time it is."""

from __future__ import annotations

import pytest
from tests.builders import START
from tests.connections import tcp
from tests.running import pipeline, run

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.pipeline import Pipeline
from hubblewatch.settings import HubbleSettings
from hubblewatch.state import Record
from hubblewatch.watch.beginning import Beginning, closing_records, go_on

FIRST = START // 60


def remembered(every: float = 1.0) -> list[Record]:
    """The state after minutes 0 to 4."""
    count = int(300 / every)
    lines = [x for n in range(count) for x in tcp(at=n * every, from_port=30_000 + n)]
    return closing_records(run(lines).pipeline)


def taken_up(records: list[Record], at: float) -> tuple[Pipeline, Beginning]:
    """The state taken up at so many seconds after START."""
    found = pipeline()
    return found, go_on(found, records, int(START + at), HubbleSettings())


def test_without_a_state_the_watch_begins_now() -> None:
    found, beginning = taken_up([], 0)
    assert beginning == Beginning()
    assert found.silent_through < 0


def test_windows_that_decide_what_is_new_are_asked_for_again() -> None:
    found, beginning = taken_up(remembered(), 320)
    assert beginning.since_ns == (START + 3 * 60) * 1_000_000_000
    assert found.closed_through == FIRST + 2
    assert found.silent_through == FIRST + 4


def test_lines_of_a_wrong_clock_that_come_first_are_not_believed() -> None:
    found, _ = taken_up(remembered(), 320)
    lines = [tcp(at=172_800 + n, from_port=50_000 + n)[0] for n in range(2)]
    lines += [x for n in range(180, 500) for x in tcp(at=n, from_port=30_000 + n)]
    refused: list[Reject] = []
    closed = found.take(decode_lines(lines, refused.append, "lines", 1))
    assert [one.closing.number - FIRST for one in closed] == [5, 6, 7]
    assert found.counts.late == 0


def test_flows_after_a_break_of_hours_that_may_be_asked_for_are_not_refused() -> None:
    refused: list[Reject] = []
    found = pipeline(refused)
    go_on(found, remembered(), START + 20_000, HubbleSettings(max_resume_seconds=86_400))
    found.take(decode_lines(tcp(at=19_990), refused.append, "lines", 1))
    found.quiet_until(START + 20_000)
    found.take(decode_lines(tcp(at=20_001), refused.append, "lines", 1))
    assert not found.is_holding
    assert not refused


def test_a_state_of_long_ago_goes_on_with_the_first_whole_window_to_be_had() -> None:
    found, beginning = taken_up(remembered(), 10_010)
    assert beginning.since_ns == (START + 9_120) * 1_000_000_000
    assert found.closed_through == found.silent_through == FIRST + 151
    assert beginning.unseen_windows == 147


def test_a_state_from_the_future_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="in the future"):
        taken_up(remembered(), -4_000)


def test_busy_nodes_are_expected_at_their_usual_rate_and_quiet_ones_are_not() -> None:
    _, busy = taken_up(remembered(every=1.0), 320)
    _, silent = taken_up(remembered(every=60.0), 320)
    assert busy.rates == {"node-a": pytest.approx(9.0, rel=0.5)}
    assert silent.rates == {}


def test_a_record_that_cannot_be_read_is_told_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = [(b'["subject","shop","cart","out"]', b"\xc1"), *remembered()]
    found, beginning = taken_up(records, 320)
    assert beginning.since_ns
    assert "is left out" in caplog.text
    assert found.memory.stream.closings == 5
