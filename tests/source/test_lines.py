import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.flow.decode import MAX_LINE_BYTES
from hubblewatch.flow.reject import EXCERPT_BYTES, RejectReason
from hubblewatch.source.compression import DamagedError
from hubblewatch.source.lines import batches


def read(chunks, rejects=None):
    refused = [] if rejects is None else rejects
    return list(batches(chunks, "a", refused.append))


def lines_of(chunks, rejects=None):
    return [line for batch in read(chunks, rejects) for line in batch.lines]


def test_lines_are_joined_over_chunks():
    assert lines_of([b"on", b"e\ntw", b"o\n"]) == [b"one", b"two"]


def test_a_last_line_without_newline_counts():
    assert lines_of([b"one\ntwo"]) == [b"one", b"two"]


def test_nothing_has_no_lines():
    assert read([]) == []


@given(text=st.binary(max_size=200), cuts=st.lists(st.integers(1, 200)))
def test_where_chunks_end_makes_no_difference(text, cuts):
    text = text.replace(b"\r", b"\n")
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[a:b] for a, b in pairwise(places)]

    expected = text.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert lines_of(chunks) == expected


def test_batches_know_the_number_of_their_first_line():
    found = read([b"1\n2\n3", b"\n4\n", b"5"])

    assert [(batch.first, len(batch.lines)) for batch in found] == [(1, 2), (3, 2), (5, 1)]


def test_a_line_that_is_too_long_is_rejected_with_its_place():
    rejects = []
    chunk = b"x" * 65_536

    found = lines_of([b"one\n", *[chunk] * 17, b"\nthree\n"], rejects)

    assert found == [b"one", b"", b"three"]
    (reject,) = rejects
    assert reject.reason is RejectReason.TOO_LONG
    assert reject.place == "a:2"
    assert str(17 * 65_536) in reject.detail
    assert reject.excerpt == b"x" * EXCERPT_BYTES


def test_a_too_long_last_line_without_newline_is_rejected():
    rejects = []

    assert lines_of([b"x" * (MAX_LINE_BYTES // 2)] * 3, rejects) == [b""]
    assert [reject.place for reject in rejects] == ["a:1"]


def test_a_line_of_the_longest_length_is_kept():
    line = b"x" * MAX_LINE_BYTES

    assert lines_of([line[:1000], line[1000:], b"\n"]) == [line]


def test_a_line_of_100_megabytes_takes_little_memory():
    def chunks():
        for _ in range(800):
            yield b"x" * 131_072
        yield b"\nlast\n"

    rejects = []
    tracemalloc.start()
    try:
        found = lines_of(chunks(), rejects)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == [b"", b"last"]
    assert len(rejects) == 1
    assert peak < 4 * MAX_LINE_BYTES


def test_the_line_in_which_reading_broke_off_is_left_out():
    def chunks():
        yield b"one\ntwo\nthr"
        raise DamagedError("gone")

    reading = batches(chunks(), "a", lambda _: None)
    assert next(reading).lines == [b"one", b"two"]
    with pytest.raises(DamagedError):
        next(reading)
