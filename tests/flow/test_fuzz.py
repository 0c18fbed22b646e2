"""Whatever is wrong with a line, it is refused or counted, and nothing raises or stalls."""

from __future__ import annotations

import pytest
from tests.bench.fuzz import fuzz


@pytest.mark.parametrize("seed", range(4))
def test_mutated_lines_never_raise(seed: int) -> None:
    report = fuzz(4_000, seed)
    assert report.lines == 4_000
    assert report.slowest_batch_seconds < 10
    assert 100 < sum(report.rejects.values()) < 3_900
    assert report.flows > 0
    # One wrong date can make most of the others late; they were decoded all the same.
    assert report.flows + report.late > 1_000
