"""The live source: lines from Hubble without end, over all breaks of the connection."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping

import grpc

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.reject import Reject
from hubblewatch.flow.schema import Line
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.channel import Metadata, call_metadata, open_channel
from hubblewatch.source.hubble.continuity import Continuity
from hubblewatch.source.hubble.counts import NodeState, ReconnectReason, SourceCounts
from hubblewatch.source.hubble.patience import Patience
from hubblewatch.source.hubble.reading import Reading
from hubblewatch.source.hubble.request import flows_request, wants_mask
from hubblewatch.source.hubble.response import ResponseReader
from hubblewatch.source.hubble.trouble import (
    HubbleTroubleError,
    MissingNodesError,
    explain,
    unreachable,
)
from hubblewatch.source.hubble.watch import Watch

IDLE_SECONDS = 1.0
"""An empty batch is given so often when nothing comes, so that the caller can do what time asks."""

AGENT_LATENCY_NS = 1_000_000_000
RELAY_LATENCY_NS = 5_000_000_000
"""How long a flow may take until it is here; Relay holds flows back to sort them."""

UNREACHABLE_AFTER_SECONDS = 20.0
"""Without a connection for so long, all nodes are told to be unavailable."""

_log = logging.getLogger(__name__)


class HubbleStream:
    """Reads one Hubble, an agent or Relay, and gives every flow once.

    It begins with the flows of now; an earlier ``since_ns`` asks for those that Hubble still has,
    and ``rates`` (flows a second by node) then tell how many are missing where it has none.

    ``batches`` runs in the caller's thread; a thread beside it only reads ahead. ``clock_ns`` is
    the time of day, ``steady`` a clock in seconds that never jumps, ``pause`` sleeps. ``close`` may
    be called from any thread and ends ``batches`` within a second or so.
    """

    def __init__(
        self,
        settings: HubbleSettings,
        on_reject: Callable[[Reject], None],
        clock_ns: Callable[[], int] = time.time_ns,
        steady: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
        draw: Callable[[], float] = random.random,
        since_ns: int = 0,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.counts = SourceCounts()
        self.settings = settings
        self._on_reject = on_reject
        self._clock_ns = clock_ns
        self._steady = steady
        self._closed = threading.Event()
        self._pause = self._closed.wait if pause is None else pause
        self._draw = draw
        self._continuity = Continuity(self.counts)
        self._patience = Patience()
        self._reader = ResponseReader(settings.address, self._reject)
        self._masked = wants_mask(settings)
        self._began_ns = since_ns
        if since_ns:
            # What comes of the overlap shows that nothing is missing after it.
            proof_ns = since_ns + round(settings.overlap_seconds * 1e9)
            self._continuity.expect(rates or {}, since_ns, proof_ns)
        self._messages = 0
        self._complete_ns = 0
        self._lost_sight = False

    @property
    def complete_through_ns(self) -> int:
        """Event time up to which all flows that Hubble has are here; 0 before the first answer.

        It stands still while the connection is broken.
        """
        return self._complete_ns

    def rates(self) -> dict[str, float]:
        """Give each node's usual flows a second; for the thread that takes ``batches`` only."""
        return {
            name: round(node.usual_rate, 3)
            for name, node in self._continuity.nodes.items()
            if node.state is NodeState.CONNECTED
        }

    def close(self) -> None:
        """End the stream."""
        self._closed.set()

    def batches(self) -> Generator[list[Line], None, None]:
        """Give lines in the order in which they came, for ever; an empty batch when it is quiet.

        Raises ConfigurationError for what no waiting mends, before the first connection also for
        files of the settings that cannot be read.
        """
        failures = 0
        broken_at = self._steady()
        while not self._closed.is_set():
            opened_at, flows = self._steady(), self.counts.flows
            try:
                yield from self._opened()
                return
            except HubbleTroubleError as trouble:
                told = trouble.told if isinstance(trouble, MissingNodesError) else []
                reason = trouble.reason
                self.counts.reconnects[reason] += 1
                _log.warning("%s", trouble)
            finally:
                self.counts.connected = False
            if told:
                yield told
            now = self._steady()
            if self.counts.flows > flows or now - opened_at >= _SETTLED_SECONDS:
                failures, broken_at = 0, now
            if reason in _AT_ONCE and not failures:
                continue
            failures += 1
            yield from self._wait(failures, broken_at)

    def _wait(self, failures: int, broken_at: float) -> Iterator[list[Line]]:
        """Pause before the next attempt: twice as long each time, with jitter."""
        settings = self.settings
        longest = min(
            settings.backoff_seconds * 2.0 ** min(failures - 1, 20), settings.max_backoff_seconds
        )
        until = self._steady() + longest * (0.5 + self._draw() / 2)
        while not self._closed.is_set():
            now = self._steady()
            if now - broken_at >= UNREACHABLE_AFTER_SECONDS and not self._lost_sight:
                self._lost_sight = True
                why = f"no connection to Hubble at {settings.address}"
                yield self._continuity.lose_sight(
                    {
                        name: why
                        for name, node in self._continuity.nodes.items()
                        if node.state is not NodeState.GONE
                    },
                    NodeState.UNAVAILABLE,
                    self._clock_ns(),
                )
            if now >= until:
                return
            self._pause(min(until - now, IDLE_SECONDS))
            yield []

    def _opened(self) -> Iterator[list[Line]]:
        """Open a stream and give its lines until it breaks (HubbleTroubleError) or is closed."""
        channel, metadata = self._channel()
        try:
            yield from self._connect(channel)
            watch = Watch(
                channel, metadata, self.settings, self._continuity, self._patience, self.counts
            )
            try:
                yield from self._look_first(watch)
                request = self._request()
                reading = Reading(channel, request, metadata, self.settings.buffer_flows)
                self.counts.connections += 1
                try:
                    yield from self._read(reading, watch)
                finally:
                    reading.close()
                    self.counts.waits += reading.waits
                    self.counts.buffered = 0
            finally:
                watch.close()
        finally:
            channel.close()

    def _look_first(self, watch: Watch) -> Iterator[list[Line]]:
        """See which rings are empty before the stream is opened; one node that hangs may forbid it.

        What else is wrong the stream itself will tell.
        """
        until = self._steady() + self.settings.check_timeout_seconds
        pause = 0.005
        while watch.answered_at is None and not watch.has_failed and not self._closed.is_set():
            now = self._steady()
            if now >= until:
                return
            told = watch.check(now, self._clock_ns(), self._messages, False)
            if told or pause >= _TICK_SECONDS:
                yield told
            self._pause(pause)
            pause = min(pause * 2, _TICK_SECONDS)

    def _read(self, reading: Reading, watch: Watch) -> Iterator[list[Line]]:
        counts = self.counts
        opened_ns = self._clock_ns()
        idle_since = heard_at = self._steady()
        is_level = False
        while not self._closed.is_set():
            messages = reading.take(_TICK_SECONDS, self._pause)
            now, now_ns = self._steady(), self._clock_ns()
            counts.buffered = len(reading)
            lines: list[Line] = []
            if messages:
                heard_at = now
                counts.connected = True
                self._lost_sight = False
                self._messages += len(messages)
                counts.bytes += sum(map(len, messages))
                lines = self._continuity.take(*self._reader.read(messages), now_ns)
                counts.batches += 1
                counts.latency_seconds = (now_ns - self._continuity.newest_ns) / 1e9
            elif reading.has_ended:
                raise self._ended(reading)
            try:
                told = watch.check(now, now_ns, self._messages, counts.buffered > 0)
            except HubbleTroubleError:
                if lines:
                    # They were taken: when they come again they will be passed by.
                    yield lines
                raise
            if watch.answered_at == now:
                counts.connected = True
                self._lost_sight = False
            # What the stream makes up for may still be under way though nothing waits here.
            is_level = (
                is_level
                or self._continuity.newest_ns >= opened_ns
                or now - heard_at > _latency_ns(watch) / 1e9
            )
            if is_level and watch.answered_at is not None and not counts.buffered:
                self._reach(watch, now, now_ns)
            if lines or told or now - idle_since >= IDLE_SECONDS:
                idle_since = now
                yield lines + told if told else lines

    def _reach(self, watch: Watch, now: float, now_ns: int) -> None:
        """Move ``complete_through_ns``, as long as answers come."""
        assert watch.answered_at is not None
        settings = self.settings
        if now - watch.answered_at <= settings.check_seconds + settings.check_timeout_seconds:
            reached_ns = now_ns - _latency_ns(watch)
            # Back only from a time that is still to come: the clock was ahead, and was set right.
            is_true = self._complete_ns <= now_ns
            self._complete_ns = max(self._complete_ns, reached_ns) if is_true else reached_ns

    def _channel(self) -> tuple[grpc.Channel, Metadata]:
        try:
            metadata = call_metadata(self.settings)
            return open_channel(self.settings), metadata
        except ConfigurationError as error:
            if not self.counts.connections:
                raise
            # A certificate may be read in the moment of its rotation.
            raise HubbleTroubleError(ReconnectReason.CERTIFICATE, str(error)) from None

    def _connect(self, channel: grpc.Channel) -> Iterator[list[Line]]:
        """Wait until the channel is connected, or has failed, which the call then explains."""
        settled = threading.Event()
        states = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)

        def note(state: grpc.ChannelConnectivity) -> None:
            if state in states:
                settled.set()

        channel.subscribe(note, try_to_connect=True)
        try:
            until = self._steady() + self.settings.connect_timeout_seconds
            while not settled.wait(_TICK_SECONDS):
                if self._closed.is_set():
                    return
                if self._steady() >= until:
                    told = f"no answer within {self.settings.connect_timeout_seconds:g} s"
                    raise unreachable(self.settings, told)
                yield []
        finally:
            channel.unsubscribe(note)

    def _request(self) -> bytes:
        now_ns = self._clock_ns()
        if not self._began_ns:
            self._began_ns = now_ns
        since_ns = self._began_ns
        if self._continuity.newest_ns:
            earliest_ns = now_ns - round(self.settings.max_resume_seconds * 1e9)
            since_ns = self._continuity.resume(
                round(self.settings.overlap_seconds * 1e9), max(self._began_ns, earliest_ns)
            )
        return flows_request(self.settings, since_ns, self._masked)

    def _ended(self, reading: Reading) -> HubbleTroubleError:
        if reading.error is None:
            return HubbleTroubleError(
                ReconnectReason.ENDED, f"Hubble at {self.settings.address} ended the stream"
            )
        trouble = explain(reading.error, self.settings)
        if trouble.reason is ReconnectReason.FIELD_MASK:
            self._masked = False
        return trouble

    def _reject(self, reject: Reject) -> None:
        self.counts.rejected += 1
        self._on_reject(reject)


def _latency_ns(watch: Watch) -> int:
    return AGENT_LATENCY_NS if watch.is_agent else RELAY_LATENCY_NS


_AT_ONCE = (
    ReconnectReason.EMPTY_RING,
    ReconnectReason.FIELD_MASK,
    ReconnectReason.MISSING_NODE,
    ReconnectReason.STALLED,
)
"""Reasons to open the stream again without a pause: Hubble itself is well."""

_SETTLED_SECONDS = 30.0
"""A stream that lasted so long was a good one."""

_TICK_SECONDS = 0.25
"""How often to look after the clock while nothing comes."""
