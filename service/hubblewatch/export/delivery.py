"""What an export publishes by: Kafka alone, or with a spool for what Kafka does not take."""

from __future__ import annotations

import logging
from typing import NamedTuple

from hubblewatch.kafka.publisher import Publisher
from hubblewatch.kafka.spool.publisher import SpoolingPublisher
from hubblewatch.kafka.spool.spool import Spool, SpoolCounts
from hubblewatch.kafka.topics import TopicNames
from hubblewatch.settings import Settings, SpoolSettings
from hubblewatch.source.hubble.resumption import Resumption

POSITION_FILE = "position.json"
"""Beside the spool: how far Kafka has the flows of the live Hubble."""

log = logging.getLogger(__name__)


class Delivery(NamedTuple):
    """A publisher that is not started yet, and its spool's counts, None without a spool."""

    publisher: Publisher | SpoolingPublisher
    spool: SpoolCounts | None = None


def delivery(
    settings: Settings, topics: TopicNames, partitions: int, *, can_wait: bool
) -> Delivery:
    """Make the publisher of an export whose source ``can_wait``, which needs no spool.

    Raises ConfigurationError if another exporter has the spool. One that cannot be used is told in
    the log and counted, and the export goes on in memory.
    """
    export = settings.export
    published = (topics.flows, topics.rejects)
    publisher = Publisher(settings.kafka, published, max_pending_bytes=export.pending_mib << 20)
    if can_wait or export.spool.directory is None:
        return Delivery(publisher)
    try:
        spool = Spool(export.spool.directory, export.spool.max_mib << 20, topics.flows)
    except OSError as error:
        log.error(
            "cannot use export.spool.directory %s (%s): going on without a spool",
            export.spool.directory,
            error.strerror,
        )
        return Delivery(publisher, SpoolCounts(failures=1))
    return Delivery(SpoolingPublisher(publisher, spool, published, partitions), spool.counts)


def resumption(settings: Settings) -> Resumption | None:
    """Give where a live export remembers its place; None if it shall not."""
    spool: SpoolSettings = settings.export.spool
    if spool.directory is None or not spool.resume_seconds:
        return None
    return Resumption(spool.directory / POSITION_FILE, settings.hubble, spool.resume_seconds)
