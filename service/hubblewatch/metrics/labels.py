"""Label values that are safe to expose: bounded text, from closed sets where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubblewatch.flow.reject import RejectReason

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER = "other"
"""What a label value becomes when it is outside its closed set, or its series did not fit."""

LABEL_CHARACTERS = 253
"""Longest label value kept: the longest name Kubernetes allows, so no real name is cut."""

REPLACEMENT = "\ufffd"


def clean_label(value: str) -> str:
    """``value`` as a label: control characters and lone surrogates replaced, cut to the bound.

    A NUL or a line break in a label is legal to escape but breaks readers further on, and a lone
    surrogate has no UTF-8 form at all, so that a single one would cost the whole scrape.
    """
    if len(value) > LABEL_CHARACTERS:
        value = value[: LABEL_CHARACTERS - 1] + "…"
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else REPLACEMENT for c in value)


class Vocabulary:
    """A closed set of label values; whatever else turns up is ``other``.

    Newer versions of Hubble add enum names, and protojson writes a value it has no name for as a
    number: neither may add a series.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self.values = (*dict.fromkeys(values), OTHER)
        self._known = frozenset(self.values)

    def of(self, value: object) -> str:
        """``value`` itself if it is one of the set, else ``other``."""
        return str(value) if isinstance(value, str) and value in self._known else OTHER


VERDICTS = Vocabulary(
    ("FORWARDED", "DROPPED", "ERROR", "AUDIT", "REDIRECTED", "TRACED", "TRANSLATED")
)
"""Hubble's own names, as in its metrics, so that the two can be compared without a mapping."""

LOSS_SOURCES = Vocabulary(
    (
        "PERF_EVENT_RING_BUFFER",
        "OBSERVER_EVENTS_QUEUE",
        "HUBBLE_RING_BUFFER",
        "exporter-buffer",
        "sequence-gap",
        "stream-gap",
    )
)
"""Hubble's three, then ours: what the exporter's buffer dropped, gaps between heartbeats, and an
estimate of what a break of Hubble's stream left out."""

UNCOUNTED = Vocabulary(("socket", "no-address", "other-protocol", "connection-table", "look-ups"))
"""Why a flow is in no attempt: the first three by what it is, the others for lack of room."""

REJECT_REASONS = Vocabulary(reason.value for reason in RejectReason)
PROTOCOLS = Vocabulary(("tcp", "udp", "icmp", "sctp"))
OUTCOMES = Vocabulary(("allowed", "denied", "audited", "dropped", "failed"))
NODE_STATES = Vocabulary(("connected", "unavailable", "gone", "error", "silent"))
STATUSES = Vocabulary(("firing", "resolved"))
SEVERITIES = Vocabulary(("info", "warning", "critical"))
