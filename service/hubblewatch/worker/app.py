"""The Faust app: hands records of the flows topic to the partitions, and nothing else.

All that is particular to Faust and to its traps is in this module and in ``measure``. Offsets are
committed in the partitions' own transactions, so Faust acknowledges nothing; what goes wrong ends
the run, and the next one begins at the committed offsets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

import faust
from faust.types import StreamT
from msgspec import Struct

from hubblewatch.kafka.connection import BrokerCredentials
from hubblewatch.worker.errors import FaustError
from hubblewatch.worker.partitions import Partitions
from hubblewatch.worker.transport import Transport

log = logging.getLogger(__name__)

GIVE_UP_TIMEOUT_SECONDS = 3.5
STOP_TIMEOUT_SECONDS = 4.0
"""Both together leave a second of the ten in which a stop has to be done."""

PATIENT_STOP_TIMEOUT_SECONDS = 30.0
"""Where another run follows: a consumer may have to wait for a broker that comes back."""

TICK_SECONDS = 1.0
MAX_POLL_INTERVAL_SECONDS = 300.0


class StuckError(FaustError):
    """Faust did not stop: threads are left that may still be members of the group.

    Only the end of the process is sure to end them.
    """


class AppSettings(Struct, frozen=True):
    """What Faust needs to know. Sizes and times as in the settings' block ``worker``."""

    group: str
    topic: str
    brokers: list[str]
    credentials: BrokerCredentials | None = None
    client_id: str = "hubblewatch"
    instance: str | None = None
    session_timeout_seconds: float = 30.0
    buffered_records: int = 24
    request_timeout_seconds: float = 40.0


class FlowApp:
    """One run of the worker, from joining the group to leaving it.

    ``on_tick`` is awaited once a second.
    """

    def __init__(
        self,
        settings: AppSettings,
        partitions: Partitions,
        on_tick: Callable[[FlowApp], Any],
        on_assigned: Callable[[frozenset[int]], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._on_tick = on_tick
        self._on_new_assignment = on_assigned
        self._failure: BaseException | None = None
        self._ended = asyncio.Event()
        self._restoring: asyncio.Task[None] | None = None
        self._is_assigned = False
        self._is_counting = False
        self.app = self._build()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; raise RunError when something failed on the way.

        Raises StuckError if Faust cannot be stopped.
        """
        running = [
            asyncio.create_task(self._start()),
            asyncio.create_task(self._watched(self._tick())),
            asyncio.create_task(self._ended.wait()),
            asyncio.create_task(stop.wait()),
        ]
        try:
            # Also while Faust starts: it waits for its partitions, however long that takes.
            await asyncio.wait(running[2:], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in running[:3]:
                task.cancel()
            await asyncio.wait(running[:3], timeout=1.0)
            await self._end(running[3])
            running[3].cancel()
        if self._failure is not None:
            raise self._failure

    @property
    def is_assigned(self) -> bool:
        """Whether the group has given this worker its partitions, be it none."""
        return self._is_assigned

    @property
    def is_drained(self) -> bool:
        """Whether nothing that was fetched waits to be counted."""
        queued = sum(queue.qsize() for queue in self.app.flow_control._queues)
        return queued == 0 and not self._is_counting

    def fetched(self) -> dict[int, int]:
        """Give, by partition, the offset that the consumer fetches next, where that is known.

        Only looked up: asking the consumer would wait for the answer in the place of a fetch.
        """
        consumer: Any = self.app._consumer
        client = None if consumer is None else consumer._thread._consumer
        subscription = None if client is None else client._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        states = [(tp.partition, assignment.state_value(tp)) for tp in assignment.tps]
        return {
            number: state.position
            for number, state in states
            if state is not None and state.has_valid_position
        }

    async def _start(self) -> None:
        try:
            await self.app.start()
            await self.app.wait_until_stopped()
        except Exception as error:  # noqa: BLE001
            # Faust raises whatever its drivers raise.
            self._fail(FaustError(f"Faust did not start: {error!r}"))
        else:
            self._fail(FaustError(f"Faust crashed: {self.app.crash_reason!r}"))

    async def _end(self, stopping: asyncio.Task[Any]) -> None:
        """End the run; ``stopping`` is done when the process is to stop, and haste is due."""
        await self._cancel_restore()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._partitions.give_up(), GIVE_UP_TIMEOUT_SECONDS)
        ending = asyncio.create_task(self._stop_faust())
        await asyncio.wait(
            {ending, stopping},
            timeout=PATIENT_STOP_TIMEOUT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        await asyncio.wait({ending}, timeout=STOP_TIMEOUT_SECONDS)
        ending.cancel()
        # Not by the time alone: Faust swallows the cancellation that ends the waiting.
        consumer: Any = self.app._consumer
        thread = None if consumer is None else consumer._thread._thread
        if thread is not None and thread.is_alive():
            raise StuckError("Faust's consumer did not stop") from self._failure

    async def _stop_faust(self) -> None:
        try:
            await self.app.stop()
        except Exception as error:  # noqa: BLE001
            # It has crashed already; what it says about that must not hide why.
            log.warning("Faust did not stop in order: %r", error)

    def _build(self) -> faust.App:
        settings = self._settings
        app = _App(
            settings.group,
            broker=settings.brokers,
            broker_client_id=settings.client_id,
            broker_credentials=_credentials(settings.credentials),
            # A loop that hangs loses its partitions in the end, though its consumer's thread lives.
            broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
            # Else all that was fetched is decompressed at once: fifteen times what was fetched.
            broker_max_poll_records=settings.buffered_records,
            broker_session_timeout=settings.session_timeout_seconds,
            broker_heartbeat_interval=settings.session_timeout_seconds / 10,
            broker_request_timeout=max(
                settings.request_timeout_seconds, settings.session_timeout_seconds + 5
            ),
            consumer_auto_offset_reset="earliest",
            # Not an empty text: that would be the name of all who have none.
            consumer_group_instance_id=settings.instance,
            cython_optimizations=True,
            store="memory://",
            stream_buffer_maxsize=settings.buffered_records,
            stream_wait_empty=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            value_serializer="raw",
            web_enabled=False,
        )
        app.transport = Transport(app.conf.broker_consumer, app)
        topic = app.topic(settings.topic, value_serializer="raw", key_serializer="raw", acks=False)

        async def detect(stream: StreamT[bytes]) -> None:
            async for event in stream.events():
                message = event.message
                # Nothing is raised into Faust: it would pass the record by and go on.
                self._is_counting = True
                await self._watched(
                    self._partitions.take(message.partition, event.value, message.offset)
                )
                self._is_counting = False
                if self._failure is not None:
                    await asyncio.Event().wait()

        app.agent(topic, concurrency=1)(detect)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)  # type: ignore[arg-type]
        return app

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        self._is_assigned = False
        await self._cancel_restore()
        await self._partitions.give_up()

    async def _on_assigned(self, _: Any, assigned: Iterable[Any], **__: Any) -> None:
        numbers = frozenset(tp.partition for tp in assigned if tp.topic == self._settings.topic)
        log.info("assigned partitions: %s", ", ".join(map(str, sorted(numbers))) or "none")
        # No await before this: records of the new assignment may come at once.
        await self._partitions.assign(numbers)
        self._is_assigned = True
        self._on_new_assignment(numbers)
        self._restoring = asyncio.create_task(self._watched(self._partitions.restore()))

    async def _cancel_restore(self) -> None:
        restoring, self._restoring = self._restoring, None
        if restoring is not None:
            restoring.cancel()
            await asyncio.wait({restoring})

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._on_tick(self)

    async def _watched(self, work: Any) -> None:
        """Await ``work``; its failure is the run's."""
        try:
            await work
        except Exception as error:  # noqa: BLE001
            # A defect too: without this a task would end and nobody would know.
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            log.error("%s", error)
        self._ended.set()


class _App(faust.App):
    """Faust's app without what it does beside the stream."""

    def _create_directories(self) -> None:
        """None: it keeps no tables, and a container's file system may be read-only."""

    def on_init_dependencies(self) -> Iterable[Any]:
        """Start all but Faust's monitor: what it measures of every record nobody reads."""
        services = list(super().on_init_dependencies())
        self.sensors.remove(self.monitor)
        return services


def _credentials(given: BrokerCredentials | None) -> Any:
    if given is None:
        return None
    if given.username is None:
        return faust.SSLCredentials(given.ssl_context)
    return faust.SASLCredentials(
        username=given.username,
        password=given.password,
        mechanism=given.mechanism,
        ssl_context=given.ssl_context,
    )
