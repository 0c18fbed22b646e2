"""Newlines of a block, counted at the speed of memory."""

from __future__ import annotations


def count_newlines(block: bytes) -> int:
    """Give the number of newlines in a block.

    ``bytes.count`` looks at one byte after the other and takes a fifth of what decoding takes;
    ``bytes.replace`` leaps from one newline to the next.
    """
    return len(block) - len(block.replace(b"\n", b""))
