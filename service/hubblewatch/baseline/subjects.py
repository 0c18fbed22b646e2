"""The subjects of a stream by name, and which of a namespace know an edge, without a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.window.closed import INBOUND, Subject

Place = tuple[str, str]
"""Namespace and direction: those in one place are neighbours."""


class Subjects(dict[Subject, SubjectMemory]):
    """Memories by subject; a dict that is changed by ``[]``, ``del`` and ``pop`` only.

    Who holds an edge is indexed for a namespace when it is first asked for; from then on the owner
    says by ``note_edges`` what a subject's edges gained and lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[Place, dict[str, SubjectMemory]] = {}
        self._holders: dict[Place, dict[str, set[str]]] = {}

    def __setitem__(self, subject: Subject, memory: SubjectMemory) -> None:
        place = subject.namespace, subject.direction
        if subject in self:
            self._holders.pop(place, None)
        super().__setitem__(subject, memory)
        self._places.setdefault(place, {})[subject.workload] = memory
        self.note_edges(subject, memory.edges, ())

    def __delitem__(self, subject: Subject) -> None:
        place = subject.namespace, subject.direction
        self.note_edges(subject, (), self[subject].edges)
        super().__delitem__(subject)
        del self._places[place][subject.workload]
        if not self._places[place]:
            del self._places[place]
            self._holders.pop(place, None)

    def pop(self, subject: Subject, default: SubjectMemory | None = None) -> SubjectMemory | None:  # type: ignore[override]
        """Remove a subject if it is there; give its memory."""
        memory = self.get(subject, default)
        if subject in self:
            del self[subject]
        return memory

    def in_namespace(self, namespace: str) -> Iterator[tuple[Subject, SubjectMemory]]:
        """Give the subjects of a namespace, both directions."""
        for direction in ("inbound", "outbound"):
            for workload, memory in self._places.get((namespace, direction), {}).items():
                yield Subject(namespace, workload, direction), memory

    def neighbours(self, subject: Subject) -> Iterator[SubjectMemory]:
        """Give the memories of the other subjects of the namespace, same direction."""
        place = subject.namespace, subject.direction
        for workload, memory in self._places.get(place, {}).items():
            if workload != subject.workload:
                yield memory

    def serves_since(self, subject: Subject) -> int | None:
        """Give the window in which the workload first served its namespace or the outside."""
        inbound = self.get(subject._replace(direction=INBOUND))
        found = [inbound.first] if inbound is not None and inbound.windows else []
        peer = f"{subject.namespace}/{subject.workload}:"
        for memory in self.neighbours(subject):
            for edge, span in memory.edges.items():
                if edge.startswith(peer) and span.answered:
                    found.append(span.first)
        return min(found, default=None)

    def note_edges(self, subject: Subject, gained: Iterable[str], lost: Iterable[str]) -> None:
        """Bring the index up to a change of a subject's edges."""
        holders = self._holders.get((subject.namespace, subject.direction))
        if holders is None:
            return
        for edge in gained:
            holders.setdefault(edge, set()).add(subject.workload)
        for edge in lost:
            those = holders.get(edge)
            if those is not None:
                those.discard(subject.workload)
                if not those:
                    del holders[edge]

    def is_known_to_neighbour(self, subject: Subject, edge: str, before: int) -> bool:
        """Tell whether another subject of the namespace had met an edge before a window."""
        place = subject.namespace, subject.direction
        holders = self._holders.get(place)
        if holders is None:
            holders = self._holders[place] = {}
            for workload, memory in self._places.get(place, {}).items():
                for text in memory.edges:
                    holders.setdefault(text, set()).add(workload)
        memories = self._places.get(place, {})
        return any(
            memories[workload].edges[edge].first < before
            for workload in holders.get(edge, ())
            if workload != subject.workload
        )
