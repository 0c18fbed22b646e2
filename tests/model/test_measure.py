"""Features: formulas, ranges, and that a subject's row depends on nobody else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.baseline.estimate import Estimate
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.finding import Finding
from hubblewatch.model.feature import FEATURES, NAMES, NOTHING
from hubblewatch.model.measure import Measured, is_measurable, measure, sigma_of
from hubblewatch.model.mixture import MAX_KEPT
from hubblewatch.model.shares import SLOT
from hubblewatch.window.closed import OUTBOUND, ClosedWindow, Subject
from hubblewatch.window.closing import Closing
from tests.closings import CART, FIRST, SIZE, attempts, closing_of, seen

STOCK = Subject("shop", "stock", OUTBOUND)


class Measuring:
    """Measures each closing as the detector does."""

    name = "measuring"

    def __init__(self) -> None:
        self.memory = Memory()
        self.number = FIRST
        self.last: Measured | None = None

    def inspect(self, closing: Closing, memory: Memory) -> list[Finding]:
        """Not used as a detector."""
        return []

    def window(self, subject: Subject = CART) -> ClosedWindow:
        """A window of the closing that comes next."""
        return ClosedWindow(subject, self.number * SIZE, (self.number + 1) * SIZE, "default")

    def close(self, *windows: ClosedWindow) -> Measured:
        """Close, measure, learn."""
        closing = closing_of(windows, self.number)
        self.memory.meet(closing)
        self.last = measure(closing, self.memory)
        self.memory.learn(closing, ())
        self.number += 1
        return self.last

    def usual(self, subject: Subject = CART) -> ClosedWindow:
        """A window as the subject always has them."""
        window = self.window(subject)
        attempts(window, 20)
        attempts(window, 10, to="shop/cache", port=6_379)
        return window

    def repeat(self, minutes: int, *subjects: Subject) -> Measured:
        """Let usual minutes pass."""
        for _ in range(minutes):
            self.close(*(self.usual(subject) for subject in subjects or (CART,)))
        assert self.last is not None
        return self.last


def value(measured: Measured, name: str, row: int = 0) -> float:
    """One feature of one subject."""
    return float(measured.values[row, NAMES.index(name)])


@given(st.lists(st.tuples(st.floats(0, 12), st.floats(0, 4)), min_size=1, max_size=20))
def test_sigma_of_many_is_that_of_each_estimate(pairs: list[tuple[float, float]]) -> None:
    together = sigma_of(np.array([c for c, _ in pairs]), np.array([s for _, s in pairs]))
    alone = [Estimate(count=60, centre=c, scale=s).sigma for c, s in pairs]
    assert np.allclose(together, alone, rtol=1e-12)


def test_a_usual_window_is_all_zeros() -> None:
    assert np.abs(Measuring().repeat(30).values).max() < NOTHING


def test_a_subject_without_a_past_has_no_row() -> None:
    measuring = Measuring()
    assert len(measuring.repeat(10).rows) == 0
    measuring.repeat(20)
    assert len(measuring.close(measuring.usual(), measuring.usual(STOCK)).rows) == 1


def test_rows_name_their_windows() -> None:
    measuring = Measuring()
    measuring.repeat(30)
    closing = measuring.close(measuring.usual(STOCK), measuring.usual(CART))
    assert closing.rows.tolist() == [0]  # cart sorts before stock


@pytest.mark.parametrize(
    ("feature", "add"),
    [
        ("volume", lambda w: attempts(w, 200)),
        ("failures", lambda w: attempts(w, 6, outcome=Outcome.FAILED)),
        ("denials", lambda w: attempts(w, 6, outcome=Outcome.DENIED)),
        ("ports", lambda w: [attempts(w, 1, port=port) for port in range(9_000, 9_008)]),
        ("addresses", lambda w: [attempts(w, 1, address=f"10.0.0.{n}") for n in range(9)]),
        ("namespaces", lambda w: [attempts(w, 1, to=f"team-{n}/api") for n in range(8)]),
        ("udp_share", lambda w: attempts(w, 30, port=9_999, protocol="udp")),
        ("new_edge_share", lambda w: [attempts(w, 1, to=f"shop/new-{n}") for n in range(4)]),
        ("lookup_share", lambda w: attempts(w, 30, to="kube-system/dns", port=53, protocol="udp")),
        ("evenness", lambda w: attempts(w, 400)),
        ("mixture", lambda w: attempts(w, 60, to="shop/cache", port=6_379)),
    ],
)
def test_a_feature_moves_with_what_it_is_made_from(feature: str, add: object) -> None:
    measuring = Measuring()
    measuring.repeat(40)
    window = measuring.usual()
    add(window)  # type: ignore[operator]
    assert abs(value(measuring.close(window), feature)) > 0.5


def test_contact_with_the_outside_moves_the_external_share() -> None:
    measuring = Measuring()
    measuring.repeat(40)
    window = measuring.usual()
    attempts(window, 15, to="files.example.org", port=443)
    window.external.add("files.example.org")
    assert value(measuring.close(window), "external_share") > 0.5


def test_more_load_of_the_same_kind_moves_volume_alone() -> None:
    measuring = Measuring()
    for _ in range(40):
        window = measuring.usual()
        attempts(window, 3, outcome=Outcome.FAILED)
        measuring.close(window)
    window = measuring.window()
    attempts(window, 80)
    attempts(window, 40, to="shop/cache", port=6_379)
    attempts(window, 12, outcome=Outcome.FAILED)
    measured = measuring.close(window)
    moved = {name for name in NAMES if value(measured, name) > 0.3}
    assert moved == {"volume"}


def test_less_than_usual_is_not_odd() -> None:
    measuring = Measuring()
    measuring.repeat(40)
    window = measuring.window()
    attempts(window, 2)
    measured = measuring.close(window)
    assert all(value(measured, name) <= 0 for name in NAMES if name != "mixture")


def test_a_row_is_the_same_whoever_else_is_there() -> None:
    alone, together = Measuring(), Measuring()
    alone.repeat(30, CART)
    together.repeat(30, CART, STOCK, Subject("other", "api", OUTBOUND))
    windows = []
    for measuring in (alone, together):
        window = measuring.usual()
        attempts(window, 7, outcome=Outcome.FAILED)
        windows.append(window)
    here = alone.close(windows[0])
    there = together.close(windows[1], together.usual(STOCK))
    assert here.values[0].tolist() == there.values[0].tolist()


def test_what_is_learned_lies_in_the_subject_s_own_slot_and_is_bounded() -> None:
    measuring = Measuring()
    for number in range(120):
        window = measuring.usual()
        attempts(window, 1 + number % 3, to=f"shop/peer-{number}")
        measuring.close(window)
    slot = measuring.memory.subject(CART).slots[SLOT]
    assert {key: len(numbers) for key, numbers in slot.items()} == {
        "usual": 1 + 2 * 6,
        "lately": 1 + len(FEATURES) - 1,
        "mixture": 1 + 3 * MAX_KEPT,
    }


def several(measuring: Measuring, failed: int, minutes: int) -> float:
    """Let minutes pass with so many failures; give how odd their number is then."""
    for _ in range(minutes):
        window = measuring.usual()
        attempts(window, failed, outcome=Outcome.FAILED)
        measuring.close(window)
    assert measuring.last is not None
    return value(measuring.last, "failures")


def test_what_keeps_coming_is_odder_than_what_comes_once() -> None:
    measuring = Measuring()
    measuring.repeat(60)
    once = several(measuring, 2, 1)
    assert several(measuring, 2, 7) > 3 * once > 0


def test_one_burst_is_no_more_than_a_moderate_deviation() -> None:
    small, large = Measuring(), Measuring()
    small.repeat(60)
    large.repeat(60)
    assert several(large, 3_000, 1) < 2 * several(small, 4, 1) < 4


def test_a_minute_without_attempts_is_a_usual_one() -> None:
    measuring = Measuring()
    measuring.repeat(60)
    before = several(measuring, 4, 5)
    measuring.number += 20
    assert value(measuring.close(measuring.usual()), "failures") < 0.1 * before


def test_the_same_deviation_says_less_of_a_subject_known_for_few_minutes() -> None:
    young, old = Measuring(), Measuring()
    young.repeat(20)
    old.repeat(240)
    assert several(young, 3, 5) < 0.9 * several(old, 3, 5)


def test_reasons_show_the_last_minutes_beside_their_usual_range() -> None:
    measuring = Measuring()
    measuring.repeat(60)
    several(measuring, 3, 10)
    assert measuring.last is not None
    column = NAMES.index("failures")
    observed = measuring.last.observed[0, column]
    assert measuring.last.usual_low[0, column] == 0
    assert measuring.last.usual_high[0, column] < 1 < observed < 3


def test_an_outlier_moves_a_usual_share_by_little() -> None:
    measuring = Measuring()
    measuring.repeat(60)
    window = measuring.usual()
    attempts(window, 3_000, outcome=Outcome.FAILED)
    measuring.close(window)
    share = measuring.memory.subject(CART).slots[SLOT]["usual"][1 + 4]  # evenness
    assert share > 0.9


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5_000),
            st.sampled_from(list(Outcome)),
            st.sampled_from(["tcp", "udp", "sctp"]),
            st.integers(1, 65_535),
        ),
        max_size=12,
    )
)
def test_values_stay_in_their_ranges(parts: list[tuple[int, Outcome, str, int]]) -> None:
    measuring = Measuring()
    measuring.repeat(25)
    window = measuring.window()
    for count, outcome, protocol, port in parts:
        attempts(window, count, port=port, protocol=protocol, outcome=outcome)
    measured = measuring.close(window)
    for column, feature in enumerate(FEATURES):
        assert np.isfinite(measured.values[:, column]).all()
        assert (measured.values[:, column] >= feature.low).all()
        assert (measured.values[:, column] <= feature.high).all()


def test_an_incomplete_closing_is_not_measured() -> None:
    assert not is_measurable(closing_of([], completeness=seen(0.5)))
    assert not is_measurable(closing_of([], completeness=seen(0.9, ["node-1"])))
    assert is_measurable(closing_of([]))
