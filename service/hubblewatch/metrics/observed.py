"""What the metrics read of the pipeline: counts it keeps anyway, under the names they have here.

The pipeline imports none of this; it fits by shape. All attributes are only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

CountsByName = Mapping[Any, int]
"""Counts by an enum's name. A mapping's key type is invariant, hence Any: str, StrEnum and the
number that protojson writes for an unknown name all do, and what is not known becomes ``other``."""


class ObservedAlert(Protocol):
    """One alert record: an incident that opened, worsened or resolved."""

    @property
    def incident(self) -> str: ...
    @property
    def status(self) -> str:
        """``firing`` or ``resolved``."""

    @property
    def detector(self) -> str: ...
    @property
    def severity(self) -> str:
        """``info``, ``warning`` or ``critical``."""

    @property
    def namespace(self) -> str: ...
    @property
    def workload(self) -> str: ...
    @property
    def shadow(self) -> bool:
        """Whether the detector is on trial: counted apart, and never among the active alerts."""


class Closing(Protocol):
    """One closed window of one stream and what came of it."""

    @property
    def start(self) -> int:
        """Seconds since the epoch, inclusive."""

    @property
    def end(self) -> int:
        """Seconds since the epoch, exclusive."""

    @property
    def completeness(self) -> float:
        """0 to 1."""

    @property
    def attempts(self) -> Mapping[tuple[str, str, str], int]:
        """Attempts of this window by subject namespace, protocol and outcome."""

    @property
    def alerts(self) -> Sequence[ObservedAlert]:
        """Alert records of this window, in order."""

    @property
    def suppressed(self) -> Mapping[str, int]:
        """Findings of this window that a suppression held back, by the suppression's name."""

    @property
    def subjects(self) -> int:
        """Subjects remembered after this window."""

    @property
    def connections(self) -> int:
        """Connections remembered after this window."""

    @property
    def open_incidents(self) -> int:
        """Incidents open after this window."""

    @property
    def refused_incidents(self) -> int:
        """Incidents that this window would have opened, or ended, since too many were open."""


class IntakeCounts(Protocol):
    """What one stream has taken in since it began: totals that only grow, and where it stands."""

    @property
    def flows(self) -> CountsByName:
        """Flow events by Hubble's verdict."""

    @property
    def uncounted(self) -> CountsByName:
        """Flow events that are in no attempt, by reason."""

    @property
    def rejects(self) -> CountsByName:
        """Lines refused, by ``RejectReason``."""

    @property
    def lost(self) -> CountsByName:
        """Events lost before they reached us, by source."""

    @property
    def late(self) -> int:
        """Flows that came after their window had closed."""

    @property
    def nodes(self) -> CountsByName:
        """Nodes by state, now: connected, unavailable, gone, error, silent."""

    @property
    def newest_event_ns(self) -> int:
        """Newest event time, nanoseconds since the epoch; 0 before the first."""

    @property
    def watermark_ns(self) -> int:
        """No flow older than this is expected, nanoseconds since the epoch; 0 before the first."""
