from __future__ import annotations

from math import log1p, sqrt
from random import Random

import msgspec
import pytest
from tests.closings import CART, FIRST, Stream, attempts, closing_of

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.week import (
    HOURS,
    WEEK_FEATURES,
    WEEK_VERSION,
    Hour,
    Week,
    first_hour,
    hour_of,
)
from hubblewatch.detectors.base import Detector
from hubblewatch.detectors.policy_denials import PolicyDenials, PolicyDenialsSettings
from hubblewatch.detectors.udp_spike import UdpSpike, UdpSpikeSettings
from hubblewatch.pipeline import Pipeline, PipelineSettings
from hubblewatch.state import changes, encode_key, restore
from hubblewatch.window.closed import OUTBOUND, ClosedWindow, Subject

DAY = 24 * 60
MONDAY = FIRST - 8 * 60
WEEK = 7 * DAY
NIGHT, BUSY = 10.0, 300.0


def busyness(minute: int) -> float:
    """An office's week: a rise at eight, a fall at seven in the evening, a quiet weekend."""
    if minute // DAY % 7 >= 5:
        return 0.0
    hour = minute % DAY / 60
    return min(1.0, max(0.0, hour - 8), max(0.0, 19 - hour))


def told_over(detector: Detector, minutes: range, attack: range, kind: str) -> list[int]:
    """Give the minutes (0: a Monday's midnight) told, of a subject with such a week."""
    rng = Random(7)
    stream = Stream(detector)
    stream.number = MONDAY + minutes.start
    told = []
    for minute in minutes:
        mean = BUSY if minute in attack else NIGHT + (BUSY - NIGHT) * busyness(minute)
        count = max(0, round(rng.gauss(mean, 1.2 * sqrt(mean))))
        if kind == "udp":
            attempts(stream.window(), count, "shop/statsd", 8_125, "udp")
        else:
            attempts(stream.window(), count, outcome=Outcome.DENIED)
        attempts(stream.window(), 5)
        if stream.close():
            told.append(minute)
    return told


@pytest.mark.parametrize(
    ("detector", "kind"),
    [
        (UdpSpike(UdpSpikeSettings()), "udp"),
        (PolicyDenials(PolicyDenialsSettings()), "denied"),
    ],
    ids=["udp-spike", "policy-denials"],
)
def test_after_a_week_a_mondays_rise_is_quiet_and_as_much_at_night_is_told(
    detector: Detector, kind: str
) -> None:
    begin = 3 * DAY  # a Thursday
    night = 2 * WEEK + 9 * DAY + 3 * 60
    attack = range(night, night + 10)
    told = told_over(detector, range(begin, begin + 3 * WEEK), attack, kind)
    first_week = [minute for minute in told if minute < begin + WEEK]
    assert first_week
    later = [minute for minute in told if minute >= begin + WEEK]
    assert later
    assert later[0] == night
    # The rule sums up three windows, and ten.
    assert set(later) <= set(range(night, night + 20))


def filled(count: float, hours: int = HOURS) -> Week:
    week = Week()
    for number in range(hours):
        week.learn(hour_with(number, count), 15)
    return week


def hour_with(number: int, count: float, looks: int = 15, *, is_suspicious: bool = False) -> Hour:
    hour = Hour(number, 0)
    for _ in range(looks):
        hour.add(dict.fromkeys(WEEK_FEATURES, count), is_suspicious=is_suspicious)
    return hour


def test_an_hour_that_comes_again_moves_its_level_half_of_the_way() -> None:
    week = filled(9)
    week.learn(hour_with(HOURS + 5, 999), 15)
    assert week.level("udp", 5) == pytest.approx((2.303 + 6.908) / 2, abs=1 / 16)


def test_a_suspicious_hour_moves_a_known_level_a_twentieth_of_the_way() -> None:
    week = filled(9)
    week.learn(hour_with(HOURS + 5, 999, is_suspicious=True), 15)
    assert week.level("udp", 5) == pytest.approx(2.303 + 0.05 * 4.605, abs=1 / 16)


def test_a_few_windows_do_not_make_an_hour() -> None:
    week = Week()
    week.learn(hour_with(5, 9, looks=2), 15)
    assert week.level("udp", 5) is None


def test_an_hour_early_or_late_is_the_same_rhythm() -> None:
    week = filled(9)
    week.learn(hour_with(HOURS + 8, 9_999), 15)
    levels = [week.level("udp", HOURS + number) or 0 for number in (6, 7, 8, 9, 10)]
    assert levels[0] == levels[4] < levels[1] == levels[2] == levels[3]


def test_in_the_first_week_both_days_before_stand_in() -> None:
    week = filled(9, hours=20)
    assert week.level("udp", 50) is None
    week = filled(9, hours=48)
    assert week.level("udp", 50) == pytest.approx(2.303, abs=1 / 16)


@pytest.mark.parametrize("seconds", [60, 900, 1_200, 3_600])
def test_every_hour_is_known_after_a_week_whatever_the_windows(seconds: int) -> None:
    memory = Memory()
    for number in range(9 * DAY * 60 // seconds):
        start = number * seconds
        window = ClosedWindow(CART, start, start + seconds, "default")
        attempts(window, 9, outcome=Outcome.DENIED)
        closing = closing_of([window], number)
        closing.start, closing.end = start, start + seconds
        memory.meet(closing)
        memory.learn(closing, ())
    levels = memory.weeks[CART].levels[:HOURS]
    assert set(levels) == {round(16 * log1p(9))}


def test_subjects_begin_their_hours_at_minutes_of_their_own() -> None:
    offsets = {first_hour(Subject("shop", f"w{n}", OUTBOUND), 0).offset // 60 for n in range(300)}
    assert len(offsets) > 50


def pipeline() -> Pipeline:
    return Pipeline(PipelineSettings(), [], {})


def test_a_week_is_stored_apart_when_an_hour_ended_and_reads_back_below_two_kilobytes() -> None:
    before = pipeline()
    stream = Stream(UdpSpike(UdpSpikeSettings()))
    stream.memory = before.memory
    stream.repeat(50)
    hour = before.memory.subjects[CART].hour
    assert hour is not None
    written = []
    for _ in range(180):
        stream.repeat(1)
        records = dict(changes(before))
        written.append(encode_key("week", *CART) in records)
    assert sum(written) in (3, 4)
    before.memory.changed_weeks.add(CART)
    before.memory.changed.add(CART)
    records = dict(changes(before))
    week = records[encode_key("week", *CART)]
    assert week is not None
    assert len(week) < 1_024
    after = pipeline()
    assert restore(after, records.items()).broken == []
    assert after.memory.weeks == before.memory.weeks
    assert after.memory.subjects[CART].hour == before.memory.subjects[CART].hour


def test_a_state_without_weeks_is_taken_and_gets_them() -> None:
    older = msgspec.msgpack.encode({"first": FIRST - 500, "last": FIRST - 1, "windows": 500})
    taken = pipeline()
    assert restore(taken, [(encode_key("subject", *CART), older)]).broken == []
    stream = Stream(UdpSpike(UdpSpikeSettings()))
    stream.memory = taken.memory
    stream.repeat(130)
    assert CART in taken.memory.weeks


def test_a_week_of_another_version_is_skipped_and_counted() -> None:
    other = msgspec.msgpack.encode(Week(version=WEEK_VERSION + 1, levels=b"\x01\x02"))
    taken = pipeline()
    found = restore(taken, [(encode_key("week", *CART), other)])
    assert (found.skipped, found.broken) == (1, [])
    assert taken.memory.weeks == {}


def test_hours_are_counted_from_the_subjects_own_minute() -> None:
    assert hour_of(3_600 * 10 + 3_000, 0) == 10
    assert hour_of(3_600 * 10 + 3_000, 600) == 11
