"""A look at one namespace: its last flows, its last closed windows, its active incidents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field

from hubblewatch.doctor.glance import FlowGlance, glance
from hubblewatch.doctor.hubble import CONNECTION as HUBBLE
from hubblewatch.doctor.hubble import SAMPLE_FLOWS, SAMPLE_SECONDS, HubbleTools
from hubblewatch.doctor.kafka import CONNECTION as KAFKA
from hubblewatch.doctor.kafka import bounded, impatient
from hubblewatch.doctor.result import CheckResult, Status
from hubblewatch.doctor.service import Pages
from hubblewatch.doctor.web import PageError
from hubblewatch.errors import HubblewatchError
from hubblewatch.kafka.partition import partition_of
from hubblewatch.kafka.probe import Cluster, probe, require_topics
from hubblewatch.kafka.tail import read_tail
from hubblewatch.kafka.topics import topic_names
from hubblewatch.settings import FlowFilterSettings, KafkaSettings, Settings

MINUTES = 5
"""Flows older than that are left out."""

WINDOWS = 20
WINDOWS_BACK = 5_000
"""Offsets of the namespace's partition that are read for its windows; others share it."""

ALERTS_BACK = 1_000
"""Offsets of each partition of alerts that are read."""

ALERTS = 200
TAIL_SECONDS = 8.0


class Incident(Struct, frozen=True):
    """An active incident, as its last record tells it."""

    incident: str
    detector: str = ""
    severity: str = ""
    namespace: str = ""
    workload: str = ""
    status: str = "firing"
    last_seen: str = ""
    summary: str = ""
    shadow: bool = False
    """Its model is on trial: it pages nobody."""


class WindowLine(Struct, frozen=True):
    """The counts of one closed window that matter at a glance."""

    start: str
    workload: str
    direction: str
    attempts: int
    denied: int
    dropped: int
    failed: int
    dns_failures: int
    new_edges: int
    completeness: float
    namespace: str = ""


class NamespaceLook(Struct, frozen=True):
    """What was seen; ``notes`` say why a part is missing."""

    namespace: str
    flows: FlowGlance | None = None
    windows: list[WindowLine] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Page(Struct):
    alerts: list[Incident]


def look_at_namespace(
    namespace: str,
    settings: Settings,
    checks: Sequence[CheckResult],
    pages: Pages | None,
    tools: HubbleTools,
) -> NamespaceLook:
    """Look where the checks found that there is something to see; never raises for what is away."""
    well = {check.id for check in checks if check.status in (Status.PASS, Status.WARN)}
    notes: list[str] = []
    flows = None
    if HUBBLE in well:
        try:
            flows = last_flows(namespace, settings, tools)
        except HubblewatchError as error:
            notes.append(f"no flows: {error}")
    else:
        notes.append("no flows: Hubble is not set or not reached")
    windows: list[WindowLine] = []
    incidents: list[Incident] | None = None
    if pages is not None:
        try:
            incidents = incidents_of_service(namespace, pages)
        except PageError as error:
            notes.append(f"no incidents from the service: {error}")
    if KAFKA in well:
        try:
            windows = asyncio.run(_windows(namespace, settings.kafka))
        except HubblewatchError as error:
            notes.append(f"no windows: {error}")
        # Each by itself: who may read the one topic need not be let to read the other.
        if incidents is None:
            try:
                incidents = asyncio.run(_incidents(namespace, settings.kafka))
            except HubblewatchError as error:
                notes.append(f"no incidents: {error}")
    else:
        notes.append("no windows: Kafka is not set or not reached")
        if incidents is None:
            notes.append("no incidents: neither Kafka nor --url is reached")
    return NamespaceLook(namespace, flows, windows, incidents or [], notes)


def last_flows(namespace: str, settings: Settings, tools: HubbleTools) -> FlowGlance:
    """Read the namespace's last flows from Hubble; raises HubblewatchError."""
    only = FlowFilterSettings(namespaces=(namespace,))
    with tools.survey(settings.hubble) as survey:
        nodes = len(survey.status().rings)
        sample = survey.sample(SAMPLE_FLOWS, SAMPLE_SECONDS, nodes, only)
    return glance(sample.flows, since_ns=round((tools.clock() - MINUTES * 60) * 1e9))


def incidents_of_service(namespace: str, pages: Pages) -> list[Incident]:
    """Ask a running worker for its active incidents; raises PageError."""
    path = "/api/alerts?" + urlencode({"namespace": namespace, "limit": ALERTS})
    status, body = pages.get(path)
    try:
        return msgspec.json.decode(body, type=_Page).alerts
    except msgspec.MsgspecError:
        raise PageError(f"{pages.url}/api/alerts answers {status} and no alerts") from None


async def _windows(namespace: str, settings: KafkaSettings) -> list[WindowLine]:
    kafka = impatient(settings)
    topic = topic_names(kafka).windows
    key = namespace.encode("utf-8", "surrogatepass")
    values = await bounded(
        kafka,
        topic,
        read_tail(
            kafka,
            topic,
            [partition_of(namespace, await _partitions(kafka, topic))],
            lambda found, _: found == key,
            back=WINDOWS_BACK,
            limit=WINDOWS,
            seconds=TAIL_SECONDS,
        ),
    )
    return [line for value in values if (line := _decoded(value, WindowLine)) is not None]


async def _incidents(namespace: str, settings: KafkaSettings) -> list[Incident]:
    kafka = impatient(settings)
    topic = topic_names(kafka).alerts
    values = await bounded(
        kafka,
        topic,
        read_tail(
            kafka,
            topic,
            range(await _partitions(kafka, topic)),
            lambda _, value: _is_of(value, namespace),
            back=ALERTS_BACK,
            limit=10 * ALERTS,
            seconds=TAIL_SECONDS,
        ),
    )
    return active(values)


async def _partitions(kafka: KafkaSettings, topic: str) -> int:
    cluster: Cluster = await bounded(kafka, topic, probe(kafka, (topic,)))
    require_topics(cluster, (topic,))
    return cluster.topics[topic].partitions


def active(values: Any) -> list[Incident]:
    """Give the incidents whose last record says that they go on, newest first."""
    latest: dict[str, Incident] = {}
    for value in values:
        found = _decoded(value, Incident)
        if found is not None:
            latest.pop(found.incident, None)
            latest[found.incident] = found
    return [found for found in reversed(latest.values()) if found.status == "firing"][:ALERTS]


def _is_of(value: bytes, namespace: str) -> bool:
    found = _decoded(value, Incident)
    return found is not None and found.namespace == namespace


def _decoded(value: bytes, kind: type[Any]) -> Any:
    """Give a record, None where it is none of ours."""
    try:
        return msgspec.json.decode(value, type=kind)
    except msgspec.MsgspecError:
        return None
