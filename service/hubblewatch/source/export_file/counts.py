"""What the followed files count, for metrics and logs."""

from __future__ import annotations

from msgspec import Struct


class FileCounts(Struct):
    """Totals since the start, which only grow, and where the source stands now."""

    lines: int = 0
    """Lines handed on."""
    bytes: int = 0
    """Bytes of text read, after unpacking."""
    rotations: int = 0
    """Files read to their end because a newer one took their place."""
    truncations: int = 0
    """Files that became shorter, or other ones, under their name."""
    gaps: int = 0
    """Places where lines are missing: rotated away, cut off or damaged before they were read."""
    lost: int = 0
    """Flows missing there, an estimate by the usual rate."""
    refused_files: int = 0
    """Files left out because there were too many."""
    position_failures: int = 0
    """Times that the position could not be written."""
    files: int = 0
    """Files followed now."""
    waiting: int = 0
    """Those of them that are not there, or cannot be read."""
