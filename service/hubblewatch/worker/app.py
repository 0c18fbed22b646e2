"""The Faust app: hands records of the flows topic to the partitions, and nothing else.

All that is particular to Faust and to its traps is in this module. Offsets are committed in the
partitions' own transactions, so Faust acknowledges nothing; a failed commit ends the run, and the
next one begins at the committed offsets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import faust
from faust.types import StreamT
from msgspec import Struct

from hubblewatch.worker.ledger import LedgerError
from hubblewatch.worker.partitions import Partitions

log = logging.getLogger(__name__)

STOP_TIMEOUT_SECONDS = 8.0
TICK_SECONDS = 1.0


class AppSettings(Struct, frozen=True):
    """What Faust needs to know. ``credentials`` is one of Faust's credential objects or None."""

    group: str
    topic: str
    bootstrap_servers: list[str]
    instance: str | None = None
    credentials: Any = None
    session_timeout_seconds: float = 30.0
    heartbeat_seconds: float = 3.0
    buffered_records: int = 64
    quiet_after_seconds: float = 15.0


class FlowApp:
    """One run of the worker, from joining the group to leaving it."""

    def __init__(
        self, settings: AppSettings, partitions: Partitions, on_tick: Callable[[FlowApp], None]
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._on_tick = on_tick
        self._failure: LedgerError | None = None
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.app = self._build()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; raise LedgerError if a commit or a restore failed."""
        waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(self._stop.wait())]
        ticking = asyncio.create_task(self._tick())
        try:
            await self.app.start()
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*waiting, ticking, *self._tasks):
                task.cancel()
            await self._partitions.give_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.app.stop(), STOP_TIMEOUT_SECONDS)
        if self._failure is not None:
            raise self._failure

    def lag(self) -> dict[int, int]:
        """Give records between the last one counted and the end of each assigned partition."""
        consumer = self.app.consumer
        lags = {}
        for tp in consumer.assignment():
            end = consumer.highwater(tp)
            counted = self._partitions.next_offset(tp.partition)
            if counted is not None:
                lags[tp.partition] = max(0, (end or 0) - counted)
        return lags

    def _build(self) -> faust.App:
        settings = self._settings
        app = faust.App(
            settings.group,
            broker=[f"kafka://{server}" for server in settings.bootstrap_servers],
            broker_credentials=settings.credentials,
            broker_session_timeout=settings.session_timeout_seconds,
            broker_heartbeat_interval=settings.heartbeat_seconds,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=settings.instance or "",
            cython_optimizations=True,
            store="memory://",
            stream_buffer_maxsize=settings.buffered_records,
            stream_wait_empty=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            value_serializer="raw",
            web_enabled=False,
            loghandlers=[],
            logging_config={"version": 1, "disable_existing_loggers": False},
        )
        topic = app.topic(settings.topic, value_serializer="raw", key_serializer="raw", acks=False)

        async def detect(stream: StreamT[bytes]) -> None:
            async for event in stream.events():
                message = event.message
                try:
                    await self._partitions.take(message.partition, event.value, message.offset)
                except LedgerError as error:
                    self._fail(error)
                    return

        app.agent(topic, concurrency=1)(detect)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)  # type: ignore[arg-type]
        return app

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        await self._partitions.give_up()

    async def _on_assigned(self, _: Any, assigned: set[Any], **__: Any) -> None:
        await self._partitions.give_up()
        numbers = frozenset(tp.partition for tp in assigned if tp.topic == self._settings.topic)
        self._partitions.assigned = numbers
        log.info("assigned partitions: %s", ", ".join(map(str, sorted(numbers))) or "none")
        task = asyncio.create_task(self._restore(numbers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _restore(self, numbers: frozenset[int]) -> None:
        try:
            await self._partitions.restore(numbers)
        except LedgerError as error:
            self._fail(error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._partitions.close_quiet(self._settings.quiet_after_seconds)
            except LedgerError as error:
                self._fail(error)
                return
            self._on_tick(self)

    def _fail(self, error: LedgerError) -> None:
        if self._failure is None:
            log.error("%s; beginning again at the committed offsets", error)
            self._failure = error
        self._stop.set()
