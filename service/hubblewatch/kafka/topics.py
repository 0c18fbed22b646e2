"""The five topics: their names, and what each of them has to be like."""

from collections.abc import Mapping
from dataclasses import dataclass

from hubblewatch.settings import KafkaSettings

MAX_RECORD_BYTES = 1 << 20
"""Largest record: twice an envelope, so that headers and a foreign shipper's lines fit too."""

COMMON_REPLICATION = 3
"""Copies of a partition where there are brokers enough: one may fail while another restarts."""

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class TopicNames:
    """The topics' names with their prefix."""

    flows: str
    windows: str
    alerts: str
    state: str
    rejects: str

    def all(self) -> tuple[str, ...]:
        """Return the five, in the order in which flows pass them."""
        return (self.flows, self.windows, self.alerts, self.state, self.rejects)


@dataclass(frozen=True)
class FoundTopic:
    """A topic that exists: its number of partitions, and the least copies that one of them has."""

    name: str
    partitions: int
    replication_factor: int


@dataclass(frozen=True)
class WantedTopic:
    """What a topic has to be like."""

    name: str
    partitions: int
    """At least so many."""

    replication_factor: int
    more_copies_are_fine: bool
    """Whether the settings leave the replication factor open, so that it is only a least one."""

    config: Mapping[str, str]
    """Kafka's own names and values; what is not named here is the operator's."""


def topic_names(settings: KafkaSettings) -> TopicNames:
    """Return the names that the settings' prefix makes."""
    prefix = settings.topic_prefix
    return TopicNames(
        flows=f"{prefix}flows",
        windows=f"{prefix}windows",
        alerts=f"{prefix}alerts",
        state=f"{prefix}state",
        rejects=f"{prefix}rejects",
    )


def wanted_topics(
    settings: KafkaSettings, brokers: int, found: Mapping[str, FoundTopic]
) -> tuple[WantedTopic, ...]:
    """Return what the topics have to be like on a cluster of ``brokers`` that has ``found``.

    Flows and state get the same number of partitions, as partition n of the one belongs to
    partition n of the other: the settings' number, or what one of them has already if that is more.
    """
    names = topic_names(settings)
    shared = max(
        settings.partitions,
        *(found[name].partitions for name in (names.flows, names.state) if name in found),
        0,
    )
    replication = settings.replication_factor or max(1, min(COMMON_REPLICATION, brokers))
    wanted = []
    for name, partitions, cleanup in (
        (names.flows, shared, _kept_for(settings.retention.flows_hours)),
        (names.windows, settings.partitions, _kept_for(settings.retention.windows_hours)),
        (names.alerts, settings.partitions, _last_kept_for(settings.retention.alerts_hours)),
        (names.state, shared, _COMPACT),
        # Without keys and rare: one place to read them all.
        (names.rejects, 1, _kept_for(settings.retention.rejects_hours)),
    ):
        # Of an existing topic its own copies count: two of one would stop all writing.
        copies = found[name].replication_factor if name in found else replication
        config = cleanup | {
            "max.message.bytes": str(MAX_RECORD_BYTES),
            # As the producer compressed it: the brokers need not do it again.
            "compression.type": "producer",
            "min.insync.replicas": "2" if copies >= COMMON_REPLICATION else "1",
        }
        open_replication = settings.replication_factor is None
        wanted.append(WantedTopic(name, partitions, replication, open_replication, config))
    return tuple(wanted)


# A partition's state is read at each start: small segments, cleaned soon, keep that short. By size
# too, since the segment that is written to is not compacted: at Kafka's own 1 GiB an hour of many
# subjects' changes would have to be read.
_COMPACT = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.2",
    "segment.ms": str(_HOUR_MS),
    "segment.bytes": str(64 << 20),
}


def _kept_for(hours: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(hours * _HOUR_MS)}


def _last_kept_for(hours: int) -> dict[str, str]:
    return {"cleanup.policy": "compact,delete", "retention.ms": str(hours * _HOUR_MS)}
