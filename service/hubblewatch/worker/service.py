"""The worker as a service: waits for Kafka, runs, and begins again after what can be cured."""

from __future__ import annotations

import asyncio
import importlib
import logging
import random
import signal
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from hubblewatch import __version__
from hubblewatch.assemble import build_pipeline, open_model, open_redaction, open_suppressions
from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka.connection import broker_credentials, broker_urls, connection_arguments
from hubblewatch.kafka.log_limit import limit_logs
from hubblewatch.kafka.probe import Cluster, wait_for_kafka
from hubblewatch.kafka.topics import topic_names
from hubblewatch.metrics import Metrics
from hubblewatch.pipeline import Pipeline
from hubblewatch.serve import AlertBoard, Answers, Health, Server
from hubblewatch.settings import Settings
from hubblewatch.worker.app import AppSettings, FlowApp, StuckError
from hubblewatch.worker.errors import RunError
from hubblewatch.worker.ledger import Ledger, LedgerSettings
from hubblewatch.worker.membership import instance_name
from hubblewatch.worker.metrics import WorkerFamilies
from hubblewatch.worker.observer import WorkerObserver
from hubblewatch.worker.partition import OnReject
from hubblewatch.worker.partitions import LedgerLike, Partitions
from hubblewatch.worker.rejects import RejectTopic
from hubblewatch.worker.watch import LagWatch

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
GOOD_RUN_SECONDS = 60.0
"""After a run of this length the pauses begin anew."""


class WorkerService:
    """``hubblewatch detect``: one process's share of the partitions, and what it serves over HTTP.

    ``make_ledger`` is there for tests that let transactions fail.
    """

    def __init__(
        self,
        settings: Settings,
        make_ledger: Callable[[int, LedgerSettings], LedgerLike] = Ledger,
    ) -> None:
        self._settings = settings
        self._topics = topic_names(settings.kafka)
        self._stop = asyncio.Event()
        registry = CollectorRegistry()
        self._families = WorkerFamilies(registry)
        self._health = Health(time.monotonic, settings.worker.stuck_after_seconds)
        board = AlertBoard()
        self._rejects = RejectTopic(
            self._topics.rejects,
            self._client_arguments,
            self._families.lost_rejects.inc,
            open_redaction(settings, renames=False),
        )
        self._metrics = Metrics(registry, version=__version__, clock=time.time)
        self._observer = WorkerObserver(
            self._metrics,
            self._families,
            self._health,
            board,
            self._rejects.keep,
        )
        ledger_settings = LedgerSettings(
            settings.worker.group,
            self._topics,
            self._client_arguments,
            settings.worker.commit_timeout_seconds,
        )
        self._suppressions = open_suppressions(settings, time.monotonic)
        self._model = open_model(settings, time.monotonic)
        if self._model is not None:
            # Loaded at the first window they would hold the event loop for half a second.
            importlib.import_module("hubblewatch.model.forest")
            importlib.import_module("hubblewatch.model.measure")
        self._partitions = Partitions(
            self._build_pipeline,
            lambda number: make_ledger(number, ledger_settings),
            self._observer,
            self._observer.refused,
        )
        self._server = Server(
            Answers(registry, self._health, board), settings.serve.host, settings.serve.port
        )

    @property
    def port(self) -> int:
        """The port of the HTTP server."""
        return self._server.port

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises ConfigurationError for what no waiting cures, and StuckError when only the end of
        the process helps.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        keeping = asyncio.create_task(self._rejects.run())
        ticking = asyncio.create_task(self._tick_alone())
        try:
            with self._server:
                await self._run_again_and_again()
        finally:
            self._health.set_ready(False)
            keeping.cancel()
            ticking.cancel()
            await asyncio.wait({keeping, ticking}, timeout=1.5)

    async def _run_again_and_again(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            cluster = await self._kafka()
            if cluster is None:
                return
            self._check(cluster)
            started = time.monotonic()
            reason = await self._run_once()
            self._observer.ended(reason)
            if reason is None:
                return
            if time.monotonic() - started > GOOD_RUN_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await self._sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run_once(self) -> str | None:
        """One run; give the reason for its end, or None if it was asked to stop."""
        settings = self._settings
        watch = LagWatch(settings.kafka, self._topics.flows, self._partitions, self._observer)

        async def tick(app: FlowApp) -> None:
            self._refresh_suppressions()
            self._refresh_model()
            await watch.look(app)
            await self._partitions.close_quiet(settings.worker.quiet_after_seconds, watch.is_read)
            self._health.set_ready(app.is_assigned and self._partitions.are_restored)

        app = FlowApp(self._app_settings(), self._partitions, tick, self._observer.assigned)
        # Faust's and aiokafka's loggers are all there now.
        limit_logs(("aiokafka", "faust", "mode"))
        self._families.runs.inc()
        try:
            await app.run(self._stop)
        except StuckError:
            raise
        except RunError as error:
            log.info("beginning again at the committed offsets")
            return error.reason
        finally:
            self._health.set_ready(False)
            await watch.close()
        return None

    async def _kafka(self) -> Cluster | None:
        """Wait for Kafka and the topics; None if asked to stop meanwhile."""
        waiting = asyncio.create_task(
            wait_for_kafka(
                self._settings.kafka, self._topics.all(), on_trouble=self._observer.kafka_away
            )
        )
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            stopping.cancel()
            await asyncio.wait({waiting, stopping}, timeout=1.0)

    def _check(self, cluster: Cluster) -> None:
        flows, state = (cluster.topics[name] for name in (self._topics.flows, self._topics.state))
        if flows.partitions > state.partitions:
            raise ConfigurationError(
                f"the topic {state.name} has {state.partitions} partitions, fewer than "
                f"{flows.name} with {flows.partitions}; run: hubblewatch topics --apply"
            )

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def _tick_alone(self) -> None:
        """Show that the event loop moves, whatever the run is doing."""
        while True:
            self._observer.tick()
            await asyncio.sleep(1.0)

    def _build_pipeline(self, number: int, on_reject: OnReject) -> Pipeline:
        pipeline = build_pipeline(
            self._settings, on_reject, judges_source=number == 0, models=self._model
        )
        if self._suppressions is not None:
            pipeline.suppressions = self._suppressions.current()
        return pipeline

    def _refresh_suppressions(self) -> None:
        if self._suppressions is not None:
            current = self._suppressions.current()
            for state in self._partitions.states:
                state.pipeline.suppressions = current

    def _refresh_model(self) -> None:
        if self._model is not None:
            self._model.refresh()
            self._metrics.show_model(self._model.described)

    def _client_arguments(self) -> dict[str, object]:
        return connection_arguments(self._settings.kafka)

    def _app_settings(self) -> AppSettings:
        kafka, worker = self._settings.kafka, self._settings.worker
        return AppSettings(
            group=worker.group,
            topic=self._topics.flows,
            brokers=broker_urls(kafka),
            credentials=broker_credentials(kafka),
            client_id=kafka.client_id,
            instance=instance_name(worker.instance),
            session_timeout_seconds=worker.session_timeout_seconds,
            buffered_records=worker.buffered_records,
            request_timeout_seconds=kafka.request_timeout_seconds,
        )
