"""Newlines are counted as ``bytes.count`` counts them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.flow.newlines import count_newlines


@given(st.lists(st.sampled_from([b"\n", b"\r", b"a", b"\x00", b"\xff"])).map(b"".join))
def test_newlines_are_counted(block: bytes) -> None:
    assert count_newlines(block) == block.count(b"\n")
