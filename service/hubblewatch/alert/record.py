"""The alert record: what is published, stored, and shown; schema ``hubblewatch.alert/v1``."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec
from msgspec import Struct

from hubblewatch.detectors.finding import Evidence, PeerRef, Reason, Severity

SCHEMA = "hubblewatch.alert/v1"


class AlertStatus(StrEnum):
    """Whether the incident goes on."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Transition(StrEnum):
    """Why a record was sent; part of its id."""

    OPEN = "open"
    WORSE = "worse"
    RESOLVE = "resolve"


class AlertRecord(Struct, frozen=True, kw_only=True):
    """One step of an incident. Times are RFC 3339; replaying the same flows gives the same ids."""

    schema: str = SCHEMA
    id: str
    incident: str
    status: AlertStatus
    detector: str
    severity: Severity
    cluster: str
    namespace: str
    workload: str
    pods: list[str]
    direction: str
    peers: list[PeerRef]
    window_start: str
    window_end: str
    first_seen: str
    last_seen: str
    observed: float
    expected: float
    unit: str
    ratio: float
    score: float
    reasons: list[Reason]
    summary: str
    description: str
    recommendation: str
    runbook: str
    evidence: Evidence
    reproduce: str
    completeness: float
    baseline: str
    model: str | None = None
    shadow: bool = False
    transition: Transition = Transition.OPEN


_encode = msgspec.json.Encoder(decimal_format="number").encode


def encode_alert(alert: AlertRecord) -> bytes:
    """Give the record as one line of JSON, without the newline."""
    return _encode(alert)


def incident_id(detector: str, cluster: str, namespace: str, workload: str, key: str) -> str:
    """Give the incident's id: what it is about, never how much, when, or how odd."""
    return _hash(detector, cluster, namespace, workload, key)


def alert_id(incident: str, first_window_start: str, transition: str) -> str:
    """Give a record's id."""
    return _hash(incident, first_window_start, transition)


def _hash(*parts: str) -> str:
    # Lengths keep ("a", "bc") and ("ab", "c") apart; names may contain any separator.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
