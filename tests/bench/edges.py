"""What a closing costs those detectors that ask what neighbours know, and what drives that cost.

Run it; it prints processor time. The first question about a namespace builds its index, as it
happens once after a start; ``first`` is that closing, ``usual`` the ones after it.
"""

from __future__ import annotations

import argparse
import time

from tests.bench.model import usual_window
from tests.closings import FIRST, closing_of

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import Span, SubjectMemory
from hubblewatch.detectors.new_edge import NewEdge, NewEdgeSettings
from hubblewatch.window.closed import OUTBOUND, Subject

ROUNDS = 7
WINDOWS = 120
ACTIVE = 200
"""Subjects with traffic in the closing that is measured."""


def known(subjects: int, namespaces: int) -> Memory:
    """A memory of so many subjects with eight edges each, two hours old."""
    memory = Memory()
    memory.stream.first = FIRST - WINDOWS
    for number in range(subjects):
        subject = Subject(f"team-{number % namespaces}", f"workload-{number}", OUTBOUND)
        window = usual_window(subject, FIRST)
        edges = {str(edge): Span(FIRST - WINDOWS, FIRST - 1) for edge in window.edges}
        past = SubjectMemory(FIRST - WINDOWS, FIRST - 1, WINDOWS, edges=edges)
        memory.subjects[subject] = past
    return memory


def closings(memory: Memory, new: int) -> list[float]:
    """Milliseconds of each round of a closing in which ``new`` subjects meet two new peers."""
    subjects = list(memory.subjects)[:ACTIVE]
    detector = NewEdge(NewEdgeSettings())
    taken = []
    for number in range(ROUNDS):
        windows = [
            usual_window(s, FIRST + number, 2 if place < new else 0)
            for place, s in enumerate(subjects)
        ]
        closing = closing_of(windows, FIRST + number)
        memory.meet(closing)
        begin = time.process_time()
        found = list(detector.inspect(closing, memory))
        taken.append((time.process_time() - begin) * 1e3)
        assert len(found) == new, len(found)
    return taken


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=50_000)
    options = parser.parse_args()
    for namespaces in (200, 5):
        memory = known(options.subjects, namespaces)
        for new in (1, 20):
            first, *others = closings(memory, new)
            print(
                f"{options.subjects:,} subjects in {namespaces} namespaces, {new} with new edges: "
                f"first {first:.1f} ms, usual {min(others):.2f} ms"
            )


if __name__ == "__main__":
    main()
