"""Times as Hubble writes them, to the nanosecond."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.flow.timestamp import SecondsCache, TimestampError, format_seconds, parse_ns

SECOND = 1_000_000_000
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-03-02T12:00:00Z", 0),
        ("2026-03-02T12:00:00.5Z", 500_000_000),
        ("2026-03-02T12:00:00.123Z", 123_000_000),
        ("2026-03-02T12:00:00.123456Z", 123_456_000),
        ("2026-03-02T12:00:00.123456789Z", 123_456_789),
        ("2026-03-02T12:00:00.000000001Z", 1),
        ("2026-03-02T12:00:00.1234567899999Z", 123_456_789),
    ],
)
def test_fractions_are_kept_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    assert parse_ns(text) == NOON * SECOND + nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T14:30:00+02:30",
        "2026-03-02T03:00:00-09:00",
        "2026-03-02t12:00:00z",
        "2026-03-02 12:00:00Z",
        "2026-03-02T12:00:00",
    ],
)
def test_other_zones_and_spellings_are_the_same_moment(text: str) -> None:
    assert parse_ns(text) == NOON * SECOND


def test_a_leap_second_is_the_next_one() -> None:
    assert parse_ns("2016-12-31T23:59:60Z") == parse_ns("2017-01-01T00:00:00Z")


def test_the_range_ends_are_those_named() -> None:
    assert parse_ns("2015-01-01T00:00:00Z") > 0
    assert parse_ns("2099-12-31T23:59:59.999999999Z") > 0
    for text in ("2014-12-31T23:59:59Z", "2100-01-01T00:00:00Z"):
        with pytest.raises(TimestampError):
            parse_ns(text)


@given(st.datetimes(datetime(2015, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001
def test_any_time_is_read_back(moment: datetime) -> None:
    micros = round((moment - datetime(1970, 1, 1)).total_seconds() * 1e6)  # noqa: DTZ001
    text = moment.isoformat(timespec="microseconds") + "Z"
    assert abs(parse_ns(text) - micros * 1_000) < 1_000


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        parse_ns(text)
    except TimestampError:
        return


@given(st.integers(1_420_070_400, 4_102_444_799))
def test_seconds_are_written_and_read_back(seconds: int) -> None:
    text = format_seconds(seconds)
    assert parse_ns(text) == seconds * SECOND
    assert SecondsCache()[text[:19]] == seconds
