"""What is usual among a namespace's subjects: the yardstick for one that has no past of its own.

Never beyond the namespace: a partition holds whole namespaces, but not all of them, and a verdict
must not depend on which ones share a partition.
"""

from __future__ import annotations

from collections.abc import Callable

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import StreamMemory, SubjectMemory
from hubblewatch.window.closed import ClosedWindow, Subject
from hubblewatch.window.closing import Closing

BEGINNING_WINDOWS = 10
"""A subject first seen within so many windows of the stream's begin was there before, probably."""


def is_from_the_beginning(past: SubjectMemory, stream: StreamMemory) -> bool:
    """Tell whether a subject is as old as the stream, rather than new in the cluster."""
    return past.first < stream.first + BEGINNING_WINDOWS


def usual_of_others(
    subject: Subject,
    feature: str,
    count: Callable[[ClosedWindow], float],
    closing: Closing,
    memory: Memory,
) -> list[float]:
    """Give the usual values of the namespace's other subjects, lowest first.

    Subjects without any past yet are taken with what they show in this closing.
    """
    values = {
        other: past.estimate(feature).usual
        for other, past in memory.subjects.in_namespace(subject.namespace)
        if past.estimate(feature).count
    }
    for window in closing.windows:
        if window.subject.namespace == subject.namespace:
            values.setdefault(window.subject, count(window))
    return sorted(value for other, value in values.items() if other != subject)
