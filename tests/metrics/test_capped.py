"""Capped families: the bound, what folds, what is counted, what a drop means."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hubblewatch.metrics.capped import FOLDED_REMEMBERED, OTHER_BUCKETS
from hubblewatch.metrics.kinds import Counter, FoldedSeries, Gauge, Summary

ATTEMPTS = ("namespace", "protocol", "outcome")
ACTIVE = ("detector", "severity", "namespace", "workload")


def counter(cap: int = 3, labels: tuple[str, ...] = ATTEMPTS) -> Counter:
    return Counter("hubblewatch_attempts_total", "Attempts.", labels, cap=cap)


def gauge(cap: int = 2) -> Gauge:
    return Gauge("hubblewatch_alerts_active", "Active.", ACTIVE, cap=cap)


def fill(family: Counter, series: int, at: float = 0.0) -> None:
    for number in range(series):
        family.add((f"ns-{number}", "tcp", "allowed"), 1, at)


def test_five_thousand_workloads_stay_within_the_cap_and_one_bucket_a_detector() -> None:
    family = Gauge("hubblewatch_alerts_active", "Active.", ACTIVE)
    for number in range(5_000):
        family.claim(("new-edge", "warning", f"ns-{number % 50}", f"workload-{number}"))
        family.claim(("port-scan", "critical", f"ns-{number % 50}", f"workload-{number}"))
    assert len(family) == 2_000 + 2


def test_no_value_is_lost_by_folding() -> None:
    family = counter(cap=10)
    fill(family, 100)
    assert sum(value for _, value in family.snapshot()) == 100


def test_labels_that_do_not_carry_the_identity_survive_folding() -> None:
    family = counter(cap=1)
    family.add(("shop", "tcp", "allowed"))
    family.add(("late", "tcp", "denied"), 5)
    family.add(("later", "udp", "denied"), 7)
    assert family.get(("other", "tcp", "denied")) == 5
    assert family.get(("other", "udp", "denied")) == 7


def test_a_family_without_identity_labels_folds_all_of_them() -> None:
    family = Counter("hubblewatch_suppressed_total", "Suppressed.", ("entry",), cap=1)
    family.add(("a",))
    family.add(("b",))
    assert family.get(("other",)) == 1


def test_a_namespace_called_other_shares_the_bucket_and_needs_no_room() -> None:
    family = counter(cap=1)
    family.add(("other", "tcp", "allowed"), 2)
    family.add(("shop", "tcp", "allowed"))
    family.add(("late", "tcp", "allowed"), 3)
    assert sorted(family.snapshot()) == [
        (("other", "tcp", "allowed"), 5.0),
        (("shop", "tcp", "allowed"), 1.0),
    ]


def test_buckets_are_bounded_even_if_the_remaining_labels_are_not() -> None:
    family = counter(cap=1)
    for number in range(10_000):
        family.add((f"ns-{number}", f"protocol-{number}", "allowed"))
    assert len(family) <= 1 + OTHER_BUCKETS + 1


def test_folded_updates_count_each_update_and_folded_series_each_label_set() -> None:
    family = counter(cap=1)
    family.add(("shop", "tcp", "allowed"))
    for _ in range(4):
        family.add(("late", "tcp", "allowed"))
        family.add(("later", "tcp", "allowed"))
    assert (family.folded_updates, family.folded_series) == (8, 2)


def test_nothing_counts_as_folded_while_there_is_room() -> None:
    family = counter(cap=5)
    fill(family, 5)
    assert (family.folded_updates, family.folded_series) == (0, 0)


def test_memory_of_folded_label_sets_is_bounded() -> None:
    family = counter(cap=1)
    fill(family, FOLDED_REMEMBERED + 500)
    assert family.folded_series == FOLDED_REMEMBERED
    assert family.folded_updates == FOLDED_REMEMBERED + 499


def test_folded_counts_are_exposed_by_family() -> None:
    family = counter(cap=1)
    fill(family, 3)
    registry = CollectorRegistry()
    registry.register(FoldedSeries([family]))
    labels = {"family": "hubblewatch_attempts_total"}
    assert registry.get_sample_value("hubblewatch_folded_series_total", labels) == 2
    assert registry.get_sample_value("hubblewatch_folded_updates_total", labels) == 2


def test_expiry_drops_what_was_not_updated_and_gives_its_room_to_others() -> None:
    family = counter(cap=2)
    family.add(("gone", "tcp", "allowed"), 1, at=100)
    family.add(("shop", "tcp", "allowed"), 1, at=100)
    family.add(("late", "tcp", "allowed"), 1, at=150)
    family.add(("shop", "tcp", "allowed"), 1, at=200)
    assert family.expire(before=200) == 1
    family.add(("late", "tcp", "allowed"), 4, at=210)
    assert family.get(("late", "tcp", "allowed")) == 4
    assert family.get(("gone", "tcp", "allowed")) is None


def test_what_expires_does_not_move_into_a_bucket() -> None:
    family = counter(cap=1)
    family.add(("gone", "tcp", "allowed"), 1_000, at=1)
    family.add(("late", "tcp", "allowed"), 2, at=1)
    family.expire(before=2)
    assert family.snapshot() == [(("other", "tcp", "allowed"), 2.0)]


def test_a_counter_that_returns_after_expiry_holds_only_what_is_new() -> None:
    family = counter()
    family.add(("shop", "tcp", "allowed"), 1_000, at=1)
    family.expire(before=2)
    family.add(("shop", "tcp", "allowed"), 5, at=3)
    assert family.get(("shop", "tcp", "allowed")) == 5


def test_no_surviving_series_is_lowered_by_an_expiry() -> None:
    family = counter(cap=20)
    for number in range(40):
        family.add((f"ns-{number}", "tcp", "allowed"), 10, at=number)
    before = dict(family.snapshot())
    family.expire(before=10)
    assert all(value >= before[labels] for labels, value in family.snapshot())


def test_removing_a_series_frees_its_room() -> None:
    family = counter(cap=1)
    family.add(("shop", "tcp", "allowed"))
    family.add(("late", "tcp", "allowed"))
    assert family.remove(("shop", "tcp", "allowed"))
    assert not family.remove(("shop", "tcp", "allowed"))
    family.add(("late", "tcp", "allowed"))
    assert family.get(("late", "tcp", "allowed")) == 1


def test_a_counter_refuses_to_fall() -> None:
    with pytest.raises(ValueError, match="cannot fall"):
        counter().add(("shop", "tcp", "allowed"), -1)


def test_a_wrong_number_of_labels_is_an_error_and_adds_nothing() -> None:
    family = counter()
    with pytest.raises(ValueError, match="has labels"):
        family.add(("shop", "tcp"))
    assert len(family) == 0


def test_a_family_needs_room_for_a_series() -> None:
    with pytest.raises(ValueError, match="room"):
        counter(cap=0)


def test_a_claim_released_at_zero_drops_the_series() -> None:
    family = gauge()
    claim = family.claim(("new-edge", "info", "shop", "cart"))
    family.release(claim)
    assert family.snapshot() == []


def test_a_claim_made_in_a_bucket_leaves_the_bucket_when_there_is_room_again() -> None:
    family = gauge(cap=1)
    first = family.claim(("new-edge", "info", "shop", "cart"))
    folded = family.claim(("new-edge", "info", "shop", "front"))
    family.release(first)
    again = family.claim(("new-edge", "info", "shop", "front"))
    family.release(folded)
    assert family.snapshot() == [(("new-edge", "info", "shop", "front"), 1.0)]
    family.release(again)
    assert len(family) == 0


def test_a_bucket_of_claims_goes_when_the_last_of_them_does() -> None:
    family = gauge(cap=1)
    family.claim(("new-edge", "info", "shop", "cart"))
    two = [family.claim(("new-edge", "info", "shop", name)) for name in ("a", "b")]
    family.release(two[0])
    assert family.get(("new-edge", "info", "other", "other")) == 1
    family.release(two[1])
    assert family.get(("new-edge", "info", "other", "other")) is None


def test_a_summary_keeps_count_and_sum() -> None:
    family = Summary("hubblewatch_anomaly_score", "Scores.", ("namespace", "workload"), cap=1)
    family.observe(("shop", "cart"), 0.25)
    family.observe(("shop", "cart"), 0.5)
    family.observe(("shop", "front"), 1.0)
    assert sorted(family.snapshot()) == [
        (("other", "other"), (1, 1.0)),
        (("shop", "cart"), (2, 0.75)),
    ]


HOSTILE = {
    "newline": "shop\nfake_metric 1",
    "carriage return": "shop\rfake 1",
    "quote": 'shop"} 1',
    "backslash": "shop\\",
    "nul": "shop\x00",
    "line separator": "shop\u2028next",
    "escape": "\x1b[31mshop",
    "lone surrogate": "shop\ud800",
    "very long": "x" * 1_000_000,
    "empty": "",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_label_neither_breaks_the_exposition_nor_adds_a_line(value: str) -> None:
    family = counter()
    family.add((value, "tcp", "allowed"), 3)
    registry = CollectorRegistry()
    registry.register(family)
    text = generate_latest(registry).decode("utf-8")
    assert len(text.splitlines()) == 3
    [parsed] = text_string_to_metric_families(text)
    assert [sample.value for sample in parsed.samples] == [3.0]


@pytest.mark.parametrize("value", ["shop\x00", "shop\ud800", "x" * 1_000])
def test_a_label_that_must_be_cleaned_still_adds_up_in_one_series(value: str) -> None:
    family = counter()
    family.add((value, "tcp", "allowed"))
    family.add((value, "tcp", "allowed"))
    assert [count for _, count in family.snapshot()] == [2.0]


def test_the_longest_kubernetes_name_is_kept_whole() -> None:
    family = counter()
    family.add(("n" * 253, "tcp", "allowed"))
    assert family.get(("n" * 253, "tcp", "allowed")) == 1


def test_scrapes_while_two_threads_update_neither_fail_nor_lose_an_update() -> None:
    family = counter(cap=50)
    registry = CollectorRegistry()
    registry.register(family)
    running = threading.Event()
    running.set()
    scraped: list[bytes] = []

    def scrape() -> None:
        while running.is_set():
            scraped[:] = [generate_latest(registry)]
        scraped.append(b"ended without an exception")

    def update(start: int) -> None:
        for number in range(20_000):
            family.add((f"ns-{start + number % 100}", "tcp", "allowed"), 1, number)
            if number % 1_000 == 0:
                family.remove((f"ns-{start + 500}", "tcp", "allowed"))

    scraper = threading.Thread(target=scrape)
    updaters = [threading.Thread(target=update, args=(start,)) for start in (0, 50)]
    for thread in (scraper, *updaters):
        thread.start()
    for thread in updaters:
        thread.join()
    running.clear()
    scraper.join()
    assert scraped[-1] == b"ended without an exception"
    assert sum(value for _, value in family.snapshot()) == 40_000


def test_counters_never_fall_between_scrapes_while_updates_go_on() -> None:
    family = counter(cap=10)
    done = threading.Event()

    def update() -> None:
        for number in range(20_000):
            family.add((f"ns-{number % 30}", "tcp", "allowed"))
        done.set()

    thread = threading.Thread(target=update)
    thread.start()
    seen: dict[tuple[str, ...], float] = {}
    fallen = []
    while not done.is_set():
        for labels, value in family.snapshot():
            if value < seen.get(labels, 0):
                fallen.append(labels)
            seen[labels] = value
    thread.join()
    assert fallen == []
    assert seen
