"""All that closes together: the windows of every subject for one stretch of event time."""

from __future__ import annotations

from msgspec import Struct, field

from hubblewatch.window.closed import ClosedWindow, Subject
from hubblewatch.window.completeness import Completeness


class Closing(Struct):
    """One closed stretch ``[start, end)``, epoch seconds; ``windows`` are sorted by subject.

    ``age`` counts windows since the stream began: what existed from the beginning is not new.
    ``is_complete`` tells whether absence can be judged and baselines may learn.
    ``attempts`` maps (namespace, protocol, outcome) to a count, ``events`` node to raw events,
    ``lost`` (node, source) to events that are reported as lost, and to those refused here.
    """

    number: int
    start: int
    end: int
    cluster: str
    windows: list[ClosedWindow]
    completeness: Completeness
    is_complete: bool
    age: int
    attempts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    late: int = 0
    lost: dict[tuple[str, str], int] = field(default_factory=dict)
    scores: dict[Subject, float] = field(default_factory=dict)
    """How odd each subject is, 0..1, where a model judged; filled in by the forest."""

    has_all_events: bool = True
    """Else ``events`` are the share of one partition, and tell nothing of nodes."""
