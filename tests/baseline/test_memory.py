from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.closings import CART, FIRST, SIZE, attempts, closing_of, seen

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.baseline.features import explained_lookups, unexplained_udp
from hubblewatch.baseline.memory import SUBJECT_EXPIRES_AFTER_SECONDS, Memory
from hubblewatch.baseline.past import (
    MAX_EDGES,
    MAX_TRIALS,
    RECENT_WINDOWS,
    Span,
    SubjectMemory,
    remember,
    split_trial,
    trial_key,
)
from hubblewatch.window.closed import OUTBOUND, ClosedWindow, ContactKey, Subject


def window(number: int = FIRST, subject: Subject = CART) -> ClosedWindow:
    return ClosedWindow(subject, number * SIZE, (number + 1) * SIZE, "default")


def lived(
    memory: Memory, *windows: ClosedWindow, suspicious: tuple[Subject, ...] = ()
) -> SubjectMemory:
    for each in windows:
        closing = closing_of([each], each.start // SIZE)
        memory.meet(closing)
        memory.learn(closing, suspicious)
    return memory.subjects.get(CART) or SubjectMemory()


def test_what_is_usual_is_learned_of_each_feature() -> None:
    memory = Memory()
    for number in range(FIRST, FIRST + 20):
        each = window(number)
        attempts(each, 30)
        attempts(each, 2, outcome=Outcome.DENIED)
        past = lived(memory, each)
    assert past.estimate("attempts").usual == pytest.approx(32)
    assert past.estimate("denied").usual == pytest.approx(2)
    assert past.estimate("udp").usual == 0


def test_an_incomplete_window_teaches_nothing() -> None:
    memory = Memory()
    each = window()
    attempts(each, 30)
    closing = closing_of([each], completeness=seen(0.5))
    memory.meet(closing)
    memory.learn(closing, ())
    past = memory.subject(CART)
    assert past.windows == 0
    assert past.estimate("attempts").count == 0
    assert not past.recent[-1].seen_whole


def test_an_incomplete_window_still_remembers_edges_and_namespaces() -> None:
    memory = Memory()
    each = window()
    attempts(each, 1, "bank/ledger")
    closing = closing_of([each], completeness=seen(0.5))
    memory.meet(closing)
    memory.learn(closing, ())
    assert "bank" in memory.subject(CART).namespaces
    assert "bank/ledger:8080/tcp" in memory.subject(CART).edges


def test_a_suspicious_window_hardly_counts() -> None:
    memory = Memory()
    for number in range(FIRST, FIRST + 30):
        each = window(number)
        attempts(each, 20)
        lived(memory, each)
    loud = window(FIRST + 30)
    attempts(loud, 20_000)
    before = memory.subject(CART).estimate("attempts").usual
    lived(memory, loud, suspicious=(CART,))
    assert memory.subject(CART).estimate("attempts").usual < before * 1.02


def test_new_edges_are_counted_once() -> None:
    memory = Memory()
    first, second = window(), window(FIRST + 1)
    attempts(first, 5)
    attempts(second, 5)
    attempts(second, 1, "bank/ledger")
    lived(memory, first, second)
    assert (first.new_edges, second.new_edges) == (1, 1)


def test_an_edge_knows_whether_it_ever_succeeded() -> None:
    memory = Memory()
    first, second = window(), window(FIRST + 1)
    attempts(first, 5, outcome=Outcome.FAILED)
    attempts(first, 5, "bank/ledger", outcome=Outcome.DENIED)
    attempts(second, 1)
    past = lived(memory, first, second)
    assert past.edges["shop/stock:8080/tcp"] == Span(FIRST, FIRST + 1, FIRST + 1, True)
    assert past.edges["bank/ledger:8080/tcp"] == Span(FIRST, FIRST, -1, False)


def test_a_failure_on_an_edge_that_worked_is_no_stranger() -> None:
    memory = Memory()
    first, second = window(), window(FIRST + 1)
    attempts(first, 5)
    attempts(second, 5, outcome=Outcome.FAILED, address="10.0.0.1")
    attempts(second, 5, "bank/ledger", outcome=Outcome.FAILED, address="10.0.0.2")
    past = lived(memory, first, second)
    assert not past.tried["tcp|8080|10.0.0.1"].stranger
    assert past.tried["tcp|8080|10.0.0.2"].stranger


def test_unsuccessful_contacts_are_forgotten_after_five_windows_even_if_quiet_between() -> None:
    memory = Memory()
    first, later = window(), window(FIRST + 5)
    attempts(first, 5, outcome=Outcome.FAILED)
    attempts(later, 5)
    assert lived(memory, first).tried
    assert not lived(memory, later).tried


def test_memory_of_unsuccessful_contacts_is_bounded() -> None:
    memory = Memory()
    each = window()
    for number in range(MAX_TRIALS + 10):
        attempts(each, 1, outcome=Outcome.FAILED, address=f"a{number}")
    assert len(lived(memory, each).tried) == MAX_TRIALS


def test_edges_are_bounded_and_the_oldest_make_room() -> None:
    memory = Memory()
    usual = window()
    attempts(usual, 1, "shop/stock")
    attempts(usual, 1, "shop/old")
    lived(memory, usual)
    crowded = window(FIRST + 1)
    attempts(crowded, 1, "shop/stock")
    for number in range(MAX_EDGES - 1):
        attempts(crowded, 1, f"far/away-{number}")
    past = lived(memory, crowded)
    assert len(past.edges) == MAX_EDGES
    assert "shop/stock:8080/tcp" in past.edges
    assert "shop/old:8080/tcp" not in past.edges


def test_recent_windows_are_bounded() -> None:
    memory = Memory()
    for number in range(FIRST, FIRST + 30):
        each = window(number)
        attempts(each, 1)
        past = lived(memory, each)
    assert len(past.recent) == RECENT_WINDOWS
    assert len(memory.stream.recent) == RECENT_WINDOWS
    assert len(memory.namespace("shop").recent) == RECENT_WINDOWS


@pytest.mark.parametrize("seconds", [30, 60, 300])
def test_a_subject_not_seen_for_a_week_is_forgotten_whatever_the_windows(seconds: int) -> None:
    for days, known in ((6, True), (8, False)):
        memory = Memory()
        for number in (0, days * 86_400 // seconds):
            start = number * seconds
            subject = CART if number == 0 else Subject("shop", "stock", OUTBOUND)
            each = ClosedWindow(subject, start, start + seconds, "default")
            attempts(each, 1)
            closing = closing_of([each], number)
            closing.start, closing.end = start, start + seconds
            memory.meet(closing)
            memory.stream.closings = 59
            memory.learn(closing, ())
        assert (CART in memory.subjects) is known


def test_a_subject_not_seen_for_a_week_is_forgotten_and_named_as_changed() -> None:
    memory = Memory()
    other = Subject("shop", "stock", OUTBOUND)
    gone, still = window(), window(FIRST + SUBJECT_EXPIRES_AFTER_SECONDS // SIZE + 60, other)
    attempts(gone, 1)
    lived(memory, gone)
    memory.drain_changed()
    memory.stream.closings = 59
    attempts(still, 1)
    lived(memory, still)
    assert CART not in memory.subjects
    assert CART in memory.drain_changed()


def test_a_namespaces_udp_share_is_learned_without_lookups_for_connections() -> None:
    memory = Memory()
    for number in range(FIRST, FIRST + 20):
        each = window(number)
        attempts(each, 30)
        attempts(each, 60, "kube-system/coredns", 53, "udp")
        attempts(each, 10, "shop/statsd", 8_125, "udp")
        lived(memory, each)
    assert memory.namespace("shop").udp_share.usual == pytest.approx(25)
    assert memory.namespace("shop").udp.usual == pytest.approx(10)


def test_lookups_are_explained_up_to_five_for_each_connection() -> None:
    each = window()
    attempts(each, 10)
    attempts(each, 70, "kube-system/coredns", 53, "udp")
    attempts(each, 3, "shop/statsd", 8_125, "udp")
    assert explained_lookups(each) == 50
    assert unexplained_udp(each) == 23


def test_the_lost_share_of_a_node_is_kept() -> None:
    memory = Memory()
    closing = closing_of([], completeness=seen(0.7))
    closing.events = {"node-a": 300, "node-b": 700}
    closing.lost = {
        ("node-a", "PERF_EVENT_RING_BUFFER"): 80,
        ("node-a", "X"): 20,
        ("relay", "X"): 1,
    }
    memory.meet(closing)
    assert memory.stream.recent[-1].node_loss == {"node-a": pytest.approx(0.25)}


@given(
    st.text(min_size=1, max_size=40),
    st.integers(0, 65_535),
    st.sampled_from(["tcp", "udp", "sctp"]),
)
def test_the_key_of_an_unsuccessful_contact_gives_the_contact_back(
    address: str, port: int, protocol: str
) -> None:
    contact = ContactKey(address, port, protocol)
    assert split_trial(trial_key(contact)) == contact


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=4), max_size=30))
def test_spans_keep_the_last_seen_whatever_came(windows: list[set[str]]) -> None:
    spans: dict[str, Span] = {}
    for number, names in enumerate(windows):
        remember(spans, sorted((name, True) for name in names), number, 5)
    order = [span.last for span in spans.values()]
    assert order == sorted(order)
    assert len(spans) <= 5
    if windows:
        assert windows[-1] <= set(spans)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_a_subjects_memory_reads_back_as_it_was_written(counts: list[int]) -> None:
    memory = Memory()
    for offset, count in enumerate(counts):
        each = window(FIRST + offset)
        attempts(each, count)
        attempts(each, count // 7, "bank/ledger", outcome=Outcome.DENIED)
        past = lived(memory, each)
    past.slots["beaconing"] = {"203.0.113.9:443": [1.0, 2.0]}
    encoded = msgspec.msgpack.encode(past)
    assert msgspec.msgpack.decode(encoded, type=SubjectMemory) == past
