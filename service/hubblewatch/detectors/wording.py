"""Words that the findings' texts share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hubblewatch.window.closed import INBOUND, ClosedWindow, Subject
from hubblewatch.window.closing import Closing


def name_of(subject: Subject) -> str:
    """Give the subject as people write it."""
    return f"{subject.namespace}/{subject.workload}" if subject.workload else subject.namespace


def counted(number: float, noun: str) -> str:
    """Give a number with its noun: ``1 port``, ``1,204 ports``."""
    shown = f"{number:,.0f}"
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"


def span_of(window: ClosedWindow | Closing, windows: int = 1) -> str:
    """Give how long so many windows are: ``1 minute``, ``3 minutes``, ``90 seconds``."""
    seconds = (window.end - window.start) * windows
    if seconds % 60:
        return counted(seconds, "second")
    return counted(seconds // 60, "minute")


def listed(names: Iterable[str], most: int = 5) -> str:
    """Give names with commas, the rest as a number."""
    known: Sequence[str] = list(names)
    shown = ", ".join(known[:most])
    return shown if len(known) <= most else f"{shown} and {len(known) - most} more"


def from_whom(subject: Subject) -> str:
    """Say whose attempts are meant: the subject's own, or those of others to it."""
    if subject.direction == INBOUND:
        return f"from outside the pods to {name_of(subject)}"
    return f"of {name_of(subject)}"
