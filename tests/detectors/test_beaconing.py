from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest
from tests.closings import CART, SIZE, Stream, attempts

from hubblewatch.detectors.beaconing import Beaconing, BeaconingSettings
from hubblewatch.detectors.finding import Finding
from hubblewatch.window.closed import OUTBOUND, Subject

MASTER = "198.51.100.7"
STOCK = Subject("shop", "stock", OUTBOUND)


@pytest.fixture
def stream() -> Stream:
    return Stream(Beaconing(BeaconingSettings()))


def minute(
    stream: Stream, times: Iterable[int] = (), subject: Subject = CART, to: str = MASTER
) -> list[Finding]:
    """A window with contacts at those epoch seconds."""
    window = stream.window(subject)
    attempts(window, 10)
    for time in times:
        attempts(window, 1, to, 443, at=time - window.start)
    return stream.close()


def settle(stream: Stream, minutes: int = 30) -> None:
    for _ in range(minutes):
        assert minute(stream) == []


def contacts(stream: Stream, minutes: int, gap: Callable[[], float]) -> list[list[Finding]]:
    """Minutes with contacts after gaps of so many seconds."""
    found = []
    at = stream.number * SIZE + 5.0
    for _ in range(minutes):
        end = (stream.number + 1) * SIZE
        times = []
        while at < end:
            times.append(int(at))
            at += gap()
        found.append(minute(stream, times))
    return found


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("period", [20, 60, 90])
@pytest.mark.parametrize("seed", range(5))
def test_even_contacts_are_found_whatever_their_interval_and_jitter(
    stream: Stream, period: int, jitter: float, seed: int
) -> None:
    settle(stream)
    rng = random.Random(seed)
    found = contacts(stream, 25, lambda: period * (1 + jitter * (2 * rng.random() - 1)))
    needed = max(10, -(-11 * period // SIZE))
    assert not any(found[: needed - 3])
    first = next(findings for findings in found if findings)
    assert first[0].severity.value == "warning"
    assert first[0].key == "198.51.100.7:443/tcp"
    assert first[0].observed == pytest.approx(period, rel=0.15)


def test_as_many_intervals_are_told_as_were_judged(stream: Stream) -> None:
    """Uneven ones before them are no part of it."""
    settle(stream)
    gaps = iter([5, 58, 103, 50, 81, *[60] * 40])
    (finding,) = next(found for found in contacts(stream, 25, lambda: next(gaps)) if found)
    assert finding.description.startswith("The last 10 intervals are as even as a clock's")
    scatter, even = finding.reasons
    assert scatter.observed < scatter.usual_low
    assert (even.observed, even.usual_high) == (10.0, 9.0)


def test_an_hourly_beacon_is_found_after_ten_hours(stream: Stream) -> None:
    settle(stream, 240)
    found = contacts(stream, 720, lambda: 3_600)
    assert not any(found[:600])
    assert any(found)


@pytest.mark.parametrize("mean", [8, 45])
def test_random_contacts_are_hardly_ever_found(mean: int) -> None:
    falsely = 0
    for seed in range(60):
        stream = Stream(Beaconing(BeaconingSettings()))
        settle(stream, 12)
        rng = random.Random(seed)
        falsely += any(contacts(stream, 120, lambda rng=rng: rng.expovariate(1 / mean)))
    assert falsely == 0


def test_an_interval_of_any_of_three_lengths_is_not_even(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(1)
    assert not any(contacts(stream, 60, lambda: rng.choice((30, 60, 120))))


def test_what_was_contacted_from_the_beginning_is_how_the_subject_is(stream: Stream) -> None:
    assert not any(contacts(stream, 60, lambda: 60))


def test_it_was_watched_for_three_intervals_before(stream: Stream) -> None:
    """A subject known for twenty minutes may well do something each quarter of an hour."""
    settle(stream, 20)
    assert not any(contacts(stream, 240, lambda: 900))


def test_what_has_been_contacted_for_a_day_is_not_new(stream: Stream) -> None:
    settle(stream)
    rng = random.Random(2)
    contacts(stream, 1_440, lambda: rng.expovariate(1 / 45))
    assert not any(contacts(stream, 60, lambda: 60))


def test_two_connections_at_once_are_one_contact(stream: Stream) -> None:
    settle(stream)
    gaps = iter([1, 59] * 30)
    assert any(contacts(stream, 20, lambda: next(gaps)))


def test_a_missed_contact_does_not_hide_it(stream: Stream) -> None:
    settle(stream)
    gaps = iter([60, 60, 60, 60, 60, 120] * 10)
    assert any(contacts(stream, 25, lambda: next(gaps)))


def test_busy_destinations_are_not_rare(stream: Stream) -> None:
    settle(stream)
    assert not any(contacts(stream, 60, lambda: 4))


def test_what_a_neighbour_contacted_before_is_info(stream: Stream) -> None:
    minute(stream, [stream.number * SIZE], subject=STOCK)
    settle(stream)
    found = [f for findings in contacts(stream, 20, lambda: 60) for f in findings]
    assert found
    assert {finding.severity.value for finding in found} == {"info"}


def test_what_it_keeps_is_bounded(stream: Stream) -> None:
    settle(stream)
    for number in range(60):
        for n in range(9):
            attempts(stream.window(), 5, f"203.0.{number}.{n}", 443, at=5 * n)
        attempts(stream.window(), 5, MASTER, 443)
        stream.close()
    slot = stream.memory.subject(CART).slots["beaconing"]
    assert len(slot) <= 8
    assert all(len(times) <= 16 for times in slot.values())
