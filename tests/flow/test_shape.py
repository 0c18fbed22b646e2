"""A refused line keeps its shape and loses what it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import L7, flow

from hubblewatch.flow.shape import shape_of

SECRET = "Bearer eyJhbGciOi.s3cr3t-t0ken"
REQUEST = flow(
    kind=L7,
    l7={
        "type": "REQUEST",
        "http": {
            "url": "https://ann:pa55w0rd@db/pay?card=4111#top",
            "headers": [{"key": "Authorization", "value": SECRET}],
        },
    },
)
TOLD = (b"Bearer", b"s3cr3t", b"Authorization", b"pa55w0rd", b"4111", b"card", b"ann", b"top")


def test_what_is_wrong_with_a_line_can_still_be_seen() -> None:
    assert shape_of(b'{"flow":{"l4":{"TCP":{"source_port":"4a"}}},"oops":[1,-2.5') == (
        b'{"flow":{"l4":{"TCP":{"source_port":"x"}}},"x":[0,0'
    )


@pytest.mark.parametrize("cut", [None, 1, 2, 100, -1, -2, -40])
def test_neither_headers_nor_urls_are_told_wherever_the_line_is_cut(cut: int | None) -> None:
    for text in (REQUEST[:cut], REQUEST[cut:] if cut else REQUEST):
        assert not [word for word in TOLD if word in shape_of(text)]


def test_bytes_that_are_no_text_are_not_told() -> None:
    assert shape_of(b"\x01\x12\xff\xfeGET /secret \x00Cookie\xc3") == b"x x x"


@given(st.text(), st.text())
def test_no_word_of_a_string_is_told(before: str, after: str) -> None:
    text = json.dumps({"x": before + "hunter2" + after, "y": 12345}, ensure_ascii=False)
    shown = shape_of(text.encode("utf-8", "surrogatepass"))
    assert b"hunter2" not in shown
    assert b"12345" not in shown
