"""Which windows close when event time moves on."""

from __future__ import annotations

from hubblewatch.window.due import MAX_EMPTY_WINDOWS, due_windows


def test_windows_close_in_order_with_the_empty_ones_between() -> None:
    assert list(due_windows(4, 9, {7, 5}, is_first=False)) == [5, 6, 7, 8]


def test_a_stream_begins_with_the_first_window_that_holds_anything() -> None:
    assert list(due_windows(4, 9, {7}, is_first=True)) == [7, 8]


def test_before_a_stream_holds_anything_nothing_closes() -> None:
    assert list(due_windows(4, 9, set(), is_first=True)) == []


def test_windows_that_are_not_due_stay_open() -> None:
    assert list(due_windows(4, 6, {5, 6, 7}, is_first=False)) == [5]


def test_closed_windows_do_not_close_again() -> None:
    assert list(due_windows(4, 6, {3, 4, 5}, is_first=False)) == [5]


def test_the_longest_gap_is_judged_and_a_longer_one_passed_over() -> None:
    after = 4 + MAX_EMPTY_WINDOWS + 1
    assert len(list(due_windows(4, after + 1, {after}, is_first=False))) == MAX_EMPTY_WINDOWS + 1
    assert list(due_windows(4, after + 2, {after + 1}, is_first=False)) == [after + 1]


def test_a_pause_that_still_lasts_is_passed_over() -> None:
    assert list(due_windows(4, 4 + MAX_EMPTY_WINDOWS + 2, set(), is_first=False)) == []


def test_a_window_that_is_named_twice_closes_once() -> None:
    assert list(due_windows(4, 7, [5, 6, 5], is_first=False)) == [5, 6]
