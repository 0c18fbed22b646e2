"""Closed windows read back from their records."""

from __future__ import annotations

import msgspec
import pytest
from tests.closings import FIRST, SIZE, attempts

from hubblewatch.baseline.features import features
from hubblewatch.window.closed import (
    MAX_RECORDED_EDGES,
    OUTBOUND,
    RECORD_FORMAT,
    ClosedWindow,
    Subject,
)
from hubblewatch.window.recorded import NewerWindowError, decode_window, is_whole, window_of


def a_window(edges: int = 5) -> ClosedWindow:
    window = ClosedWindow(Subject("shop", "cart", OUTBOUND), FIRST * SIZE, (FIRST + 1) * SIZE, "c")
    for edge in range(edges):
        attempts(window, 3 + edge, to=f"team-{edge}/service-{edge}", port=8_000 + edge)
    return window


def there_and_back(window: ClosedWindow) -> ClosedWindow:
    return window_of(decode_window(msgspec.json.encode(window.record())))


def test_a_window_read_back_has_what_baselines_and_edges_need() -> None:
    window = a_window()
    back = there_and_back(window)
    assert features(back) == features(window)
    assert {k: c.attempts for k, c in back.edges.items()} == {
        k: c.attempts for k, c in window.edges.items()
    }


def test_a_record_that_lacks_edges_says_so() -> None:
    assert is_whole(a_window(MAX_RECORDED_EDGES).record())
    assert not is_whole(a_window(MAX_RECORDED_EDGES + 1).record())


def test_a_newer_format_is_refused_even_where_its_fields_have_changed() -> None:
    fields = msgspec.to_builtins(a_window().record()) | {"format": RECORD_FORMAT + 1}
    with pytest.raises(NewerWindowError, match="newer"):
        decode_window(msgspec.json.encode(fields))
    with pytest.raises(NewerWindowError, match="newer"):
        decode_window(msgspec.json.encode(fields | {"tcp": {"begun": 3}}))


def test_a_record_without_a_format_is_read_as_the_oldest() -> None:
    fields = msgspec.to_builtins(a_window().record())
    del fields["format"]
    assert decode_window(msgspec.json.encode(fields)).format == 0


def test_what_is_no_window_is_told_apart_from_a_newer_one() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_window(b'{"start": 7}')
