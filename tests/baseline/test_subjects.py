"""Subjects by name, and who of a namespace knows an edge."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.closings import CART, FIRST, SIZE, attempts, closing_of

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import Span, SubjectMemory, remember
from hubblewatch.baseline.subjects import Subjects
from hubblewatch.window.closed import INBOUND, OUTBOUND, ClosedWindow, Subject

NAMES = [
    Subject(namespace, workload, direction)
    for namespace in ("shop", "bank")
    for workload in ("cart", "stock", "mail")
    for direction in (OUTBOUND, INBOUND)
]
EDGES = [f"data/store-{number}:5432/tcp" for number in range(6)]
BOUND = 3


def searched(subjects: Subjects, subject: Subject, edge: str, before: int) -> bool:
    """The answer by going through all subjects."""
    return any(
        (span := past.edges.get(edge)) is not None and span.first < before
        for other, past in subjects.items()
        if other != subject
        and (other.namespace, other.direction) == (subject.namespace, subject.direction)
    )


def test_neighbours_are_the_namespace_without_the_subject_itself() -> None:
    memory = Memory()
    stock = memory.subject(Subject("shop", "stock", OUTBOUND))
    memory.subject(Subject("shop", "stock", INBOUND))
    memory.subject(Subject("bank", "ledger", OUTBOUND))
    memory.subject(CART)
    (neighbour,) = memory.subjects.neighbours(CART)
    assert neighbour is stock


def test_a_namespace_has_its_subjects_of_both_directions() -> None:
    subjects = Subjects()
    for name in NAMES:
        subjects[name] = SubjectMemory()
    found = [subject for subject, _ in subjects.in_namespace("shop")]
    assert sorted(found) == sorted(name for name in NAMES if name.namespace == "shop")
    assert list(subjects.in_namespace("nowhere")) == []


step = st.tuples(
    st.sampled_from(["learn", "learn", "learn", "forget", "restore"]),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(EDGES), max_size=5),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(step, max_size=30))
def test_what_the_index_says_is_what_a_search_finds(
    steps: list[tuple[str, Subject, list[str]]],
) -> None:
    subjects = Subjects()
    for number, (what, subject, edges) in enumerate(steps, FIRST):
        if what == "forget":
            subjects.pop(subject)
        elif what == "restore":
            subjects[subject] = SubjectMemory(edges={e: Span(number, number) for e in edges})
        else:
            if subject not in subjects:
                subjects[subject] = SubjectMemory()
            seen = sorted((edge, True) for edge in edges)
            came, went = remember(subjects[subject].edges, seen, number, BOUND)
            subjects.note_edges(subject, came, went)
        for asker in NAMES[:6]:
            for edge in EDGES:
                for before in (number, number + 1):
                    assert subjects.is_known_to_neighbour(asker, edge, before) == searched(
                        subjects, asker, edge, before
                    )


def test_a_closing_brings_the_index_up_to_date() -> None:
    memory = Memory()
    stock = Subject("shop", "stock", OUTBOUND)
    known = memory.subjects.is_known_to_neighbour
    assert not known(CART, "data/store:5432/tcp", FIRST + 1)
    window = ClosedWindow(stock, FIRST * SIZE, (FIRST + 1) * SIZE, "c")
    attempts(window, 3, "data/store", 5_432)
    closing = closing_of([window], FIRST)
    memory.meet(closing)
    memory.learn(closing, ())
    assert known(CART, "data/store:5432/tcp", FIRST + 1)
    assert not known(stock, "data/store:5432/tcp", FIRST + 1)
