from __future__ import annotations

from itertools import pairwise

from hubblewatch.source.hubble.patience import (
    FIRST_PATIENCE_SECONDS,
    MAX_PATIENCE_SECONDS,
    Patience,
)


def tries(patience: Patience, seconds: float) -> list[float]:
    return [float(now) for now in range(int(seconds)) if patience.is_over("node-a", float(now))]


def test_pauses_double_up_to_a_bound() -> None:
    found = tries(Patience(), 20_000)
    pauses = [after - before for before, after in pairwise(found)]
    assert pauses[:3] == [FIRST_PATIENCE_SECONDS, 120, 240]
    assert pauses[-1] == MAX_PATIENCE_SECONDS


def test_each_node_has_its_own_and_one_that_was_heard_begins_anew() -> None:
    patience = Patience()
    assert patience.is_over("node-a", 0.0)
    assert patience.is_over("node-b", 0.0)
    assert not patience.is_over("node-a", 10.0)
    patience.reset("node-a")
    assert patience.is_over("node-a", 10.0)
    assert not patience.is_over("node-b", 10.0)
