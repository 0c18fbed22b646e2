"""What ``hubblewatch export`` does: serves, waits for Kafka, opens the source, exports, sums up."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any, BinaryIO, NamedTuple, cast

from msgspec import Struct
from pydantic import ValidationError
from rich.console import Console

from hubblewatch.assemble import open_redaction
from hubblewatch.errors import ConfigurationError
from hubblewatch.export.delivery import delivery, resumption
from hubblewatch.export.exporter import Exporter
from hubblewatch.export.pace import PacedSource, parse_speed
from hubblewatch.export.rejects import Rejects
from hubblewatch.export.serving import ServedExport
from hubblewatch.export.source import RecordingSource, Source
from hubblewatch.export.terminal import print_summary, shown_progress
from hubblewatch.flow.reject import Reject
from hubblewatch.garbage import rarely_collected
from hubblewatch.kafka.envelope import Envelopes
from hubblewatch.kafka.log_limit import limit_logs
from hubblewatch.kafka.probe import Cluster, wait_for_kafka
from hubblewatch.kafka.publisher import ABANDON_SECONDS
from hubblewatch.kafka.pulse import PulseSettings
from hubblewatch.kafka.router import Router
from hubblewatch.kafka.topics import TopicNames, topic_names
from hubblewatch.settings import FollowSettings, Settings
from hubblewatch.source.damage import damage_of, tell_damage
from hubblewatch.source.export_file.live import FollowedFiles
from hubblewatch.source.export_file.position import held
from hubblewatch.source.hubble.live import LiveSource
from hubblewatch.source.hubble.resumption import Reached
from hubblewatch.source.hubble.stream import HubbleStream
from hubblewatch.source.recordings import open_recordings

log = logging.getLogger(__name__)

HUBBLE = "hubble"
"""Stands for the Hubble of the settings where else a recording is named."""


class Wishes(Struct, frozen=True):
    """What the command line asks for beside settings and recordings."""

    speed: str = "max"
    closes_last: bool = True
    serves: bool = False
    quiet: bool = False
    follows: bool = False


class Outcome(NamedTuple):
    """What the exit code is made from."""

    is_interrupted: bool
    is_damaged: bool


class Command:
    """One call of ``hubblewatch export``; raises ConfigurationError before anything is read.

    Without ``files`` the flows are those of the live Hubble of the settings, or, if the wish is to
    follow, of the export files that the settings name.
    """

    def __init__(self, settings: Settings, files: list[str], wishes: Wishes) -> None:
        self._settings = settings
        self._wishes = wishes
        self._speed = parse_speed(wishes.speed)
        self._is_live = wishes.follows or files in ([], [HUBBLE])
        if HUBBLE in files and (wishes.follows or not self._is_live):
            raise ConfigurationError("--from hubble goes with no other source")
        if self._is_live and self._speed is not None:
            raise ConfigurationError("--speed is for recordings; a live Hubble has its own")
        self._began_ns = time.time_ns()
        self._redaction = open_redaction(settings)
        self._rejects = Rejects(time.monotonic, self._redaction.excerpt)
        self._followed = self._follow(files) if wishes.follows else None
        self._recordings = [] if self._is_live else open_recordings(files, _standard_input())
        self._errors = Console(stderr=True)

    def run(self) -> Outcome:
        """Export all there is, or until a signal, which is a live export's orderly end."""
        with rarely_collected():
            is_whole = _run(self._export())
        damage = damage_of(self._recordings)
        tell_damage(damage)
        return Outcome(not is_whole and not self._is_live, bool(damage))

    async def _export(self) -> bool:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        limit_logs()
        with ExitStack() as stack:
            served: ServedExport | None = None
            if self._wishes.serves:
                # From before Kafka is waited for: probes and scrapes do not wait that long.
                served = ServedExport(self._settings.serve)
                stack.enter_context(served.served())
                self._errors.print(f"serving http://{served.address}", highlight=False)
            topics = topic_names(self._settings.kafka)
            cluster = await self._found((topics.flows, topics.rejects), stop)
            if cluster is None:
                return False
            return await self._export_to(cluster, topics, stop, served)

    async def _export_to(
        self,
        cluster: Cluster,
        topics: TopicNames,
        stop: asyncio.Event,
        served: ServedExport | None,
    ) -> bool:
        rejects = self._rejects
        partitions = cluster.topics[topics.flows].partitions
        window, export = self._settings.window, self._settings.export
        waits = self._followed is not None or not self._is_live
        publisher, spool = delivery(self._settings, topics, partitions, can_wait=waits)
        # After the spool, in whose directory the place is remembered.
        live = self._followed or (self._live_source(rejects) if self._is_live else None)
        router = Router(
            partitions,
            PulseSettings(
                export.name or socket.gethostname(),
                window.size_seconds,
                window.lateness_seconds,
                window.settle_seconds,
                goes_on=live is not None and live.goes_on,
            ),
            rejects.take,
        )
        envelopes = Envelopes(
            partitions,
            time.monotonic,
            rejects.take,
            max_age_seconds=export.envelope_age_seconds,
        )
        exporter = Exporter(router, envelopes, publisher, rejects, topics, self._redaction)
        source: Source = live or RecordingSource(self._recordings, rejects.take)
        if self._speed is not None:
            source = PacedSource(source, self._speed)
        begin = time.monotonic()
        publisher.start()
        if served is not None:
            served.begin(exporter, publisher, live, spool)
        shows = not (self._wishes.quiet or self._is_live) and self._errors.is_terminal
        with shown_progress(self._errors, self._recordings, exporter, shows):
            try:
                is_whole = await exporter.run(source, stop, self._wishes.closes_last)
            finally:
                if live is not None:
                    live.close()
                # Once told to stop, the exporter has waited for Kafka already.
                await (publisher.stop(ABANDON_SECONDS) if stop.is_set() else publisher.stop())
        if not self._wishes.quiet:
            print_summary(self._errors, exporter, publisher.counts, time.monotonic() - begin)
        return is_whole

    def _follow(self, files: list[str]) -> FollowedFiles:
        follow = self._settings.export.follow
        if files:
            try:
                follow = FollowSettings.model_validate(follow.model_dump() | {"files": files})
            except ValidationError as error:
                told = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ConfigurationError(f"--from: {told}") from None
        if not follow.files:
            raise ConfigurationError(
                "--follow needs files: name them by --from, or in export.follow.files"
            )
        if follow.position_file is not None:
            # Until this process ends: its last place is written when all else is done.
            held(follow.position_file)
        else:
            log.warning("without export.follow.position_file nothing is remembered over a restart")
        return FollowedFiles(follow, self._rejects.take)

    def _live_source(self, rejects: Rejects) -> LiveSource:
        """Read Hubble from the start of this command on, however long Kafka was waited for.

        Where an earlier run's place is remembered, it is read from there on.
        """
        loop = asyncio.get_running_loop()

        def refuse(reject: Reject) -> None:
            # From the thread of the stream; the exporter's other rejects are of the loop.
            if not loop.is_closed():
                loop.call_soon_threadsafe(rejects.take, reject)

        remembered = resumption(self._settings)
        begin = Reached(self._began_ns, {})
        if remembered is not None:
            begin = remembered.begin(self._began_ns)
        stream = HubbleStream(
            self._settings.hubble, refuse, since_ns=begin.complete_ns, rates=begin.rates
        )
        return LiveSource(stream, remembered)

    async def _found(self, topics: tuple[str, ...], stop: asyncio.Event) -> Cluster | None:
        """Wait for Kafka and the topics; None if told to stop first."""
        waiting = asyncio.create_task(wait_for_kafka(self._settings.kafka, topics))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            stopping.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)


def _standard_input() -> BinaryIO:
    """Give standard input without a buffer: the thread that reads it may be left behind in a read,
    and at its end Python would wait for the lock of a buffer."""
    return cast(BinaryIO, open(0, "rb", buffering=0, closefd=False))


def _run(work: Coroutine[Any, Any, bool]) -> bool:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
