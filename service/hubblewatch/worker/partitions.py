"""The partitions that this worker has: opened, fed, committed, and given up at a rebalance."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import NoReturn, Protocol

from msgspec import Struct, field

from hubblewatch.flow.reject import Reject
from hubblewatch.pipeline import Closed, Pipeline
from hubblewatch.state import Restored, restore
from hubblewatch.worker.errors import DefectError, JumpError, RunError
from hubblewatch.worker.ledger import Opened
from hubblewatch.worker.partition import Commit, OnReject, PartitionState

log = logging.getLogger(__name__)

DEFECT_ATTEMPTS = 3
"""Runs that may fail at one record before it is passed by: the fault might have been elsewhere."""


class LedgerLike(Protocol):
    """What a partition needs of its ledger; the real one is transactional Kafka."""

    async def open(self) -> Opened:
        """Fence former owners and give the committed state."""

    async def commit(self, commit: Commit) -> None:
        """Write a commit, all or nothing."""

    async def close(self) -> None:
        """Give up."""


class Observer(Protocol):
    """Hears what happened; metrics and health in the service, a list in tests."""

    def opened(self, state: PartitionState, found: Restored, seconds: float) -> None:
        """A partition was restored."""

    def committed(self, number: int, closed: Closed) -> None:
        """A closing of a partition is committed."""

    def transaction(self, number: int, seconds: float) -> None:
        """A transaction took so long."""

    def failed(self, number: int, error: RunError) -> None:
        """Opening, counting or committing failed; told before the partition is given up."""

    def taken(self, number: int) -> None:
        """A record was counted."""

    def skipped(self, number: int, value: bytes | None, offset: int) -> None:
        """A record was passed by, since the pipeline failed on it again and again."""

    def given_up(self, number: int) -> None:
        """A partition is no longer this worker's, or must be read again; may be told twice."""


class _Slot(Struct):
    """One assignment of a partition.

    ``lock`` is the partition's own and outlives the assignment: it orders work and end, and the end
    of one assignment before the begin of the next.
    """

    lock: asyncio.Lock
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: bool = False
    state: PartitionState | None = None
    ledger: LedgerLike | None = None
    event_time: int | None = None
    heard_at: float = 0.0


class Partitions:
    """All partitions of one worker, by number; serves one run after the other.

    The lock of a partition is held while a record is counted and committed: a producer that is
    stopped under a running transaction would hang its owner for ever.
    """

    def __init__(
        self,
        build: Callable[[int, OnReject], Pipeline],
        open_ledger: Callable[[int], LedgerLike],
        observer: Observer,
        on_reject: OnReject,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._build = build
        self._open_ledger = open_ledger
        self._observer = observer
        self._on_reject = on_reject
        self._now = now
        self._slots: dict[int, _Slot] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        # Both outlive a run: what one run met, the next one judges.
        self._jumps: dict[int, tuple[int, int]] = {}
        self._defects: dict[int, dict[int, int]] = {}
        """Of each partition, how often the pipeline failed at which offsets."""

    @property
    def assigned(self) -> frozenset[int]:
        """Numbers of the partitions that this worker has."""
        return frozenset(self._slots)

    @property
    def are_restored(self) -> bool:
        """Whether every assigned partition has its state back."""
        return all(slot.state is not None for slot in self._slots.values())

    @property
    def states(self) -> list[PartitionState]:
        """The restored partitions."""
        return [slot.state for slot in self._slots.values() if slot.state is not None]

    def next_offset(self, number: int) -> int | None:
        """Give the offset that a partition waits for; None while it is not restored."""
        slot = self._slots.get(number)
        return None if slot is None or slot.state is None else slot.state.next_offset

    async def assign(self, numbers: Iterable[int]) -> None:
        """Take partitions over, in place of those there were; they wait until ``restore``.

        The new ones are there before anything is waited for, so that no record of theirs is taken
        for a stranger's.
        """
        former = list(self._slots.items())
        self._slots = {
            number: _Slot(self._locks.setdefault(number, asyncio.Lock()))
            for number in sorted(numbers)
        }
        await self._drop_all(former)

    async def restore(self) -> None:
        """Open all partitions, each one's records waiting meanwhile. Raises RunError."""

        async def one(number: int, slot: _Slot) -> None:
            async with slot.lock:
                if not slot.is_gone and slot.state is None:
                    await self._open(number, slot)

        opening = [asyncio.create_task(one(*slot)) for slot in self._slots.items()]
        try:
            await asyncio.gather(*opening)
        finally:
            for task in opening:
                task.cancel()
            await asyncio.gather(*opening, return_exceptions=True)

    async def take(self, number: int, value: bytes | None, offset: int) -> None:
        """Count a record once its partition is open, and commit what it closes. Raises RunError.

        Records of a partition that is not, or no longer, this worker's are passed over.
        """
        slot = self._slots.get(number)
        if slot is None:
            return
        await slot.opened.wait()
        async with slot.lock:
            state = slot.state
            if slot.is_gone or state is None:
                return
            if self._is_stale(number, state, offset):
                return
            commit = await self._count(number, slot, state, value, offset)
            if (newest := state.pipeline.newest) is not None:
                slot.event_time = newest
            slot.heard_at = self._now()
            await self._commit(number, slot, commit)
            self._observer.taken(number)

    async def close_quiet(self, after_seconds: float, is_read: Callable[[int], bool]) -> None:
        """Close windows of partitions without heartbeats that were silent for so long.

        Their event time is taken to go on like the clock since the last record: a foreign shipper
        promises nothing, but time passes all the same. ``is_read`` tells whether nothing of a
        partition waits in Kafka; where something does, silence means nothing. Raises RunError.
        """
        for number, slot in list(self._slots.items()):
            silent = self._now() - slot.heard_at
            if not slot.opened.is_set() or silent < after_seconds or not is_read(number):
                continue
            async with slot.lock:
                state = slot.state
                silent = self._now() - slot.heard_at
                if state is None or slot.event_time is None or silent < after_seconds:
                    continue
                if not state.pipeline.watermark.has_heartbeats:
                    commit = state.quiet_until(slot.event_time + int(silent))
                    await self._commit(number, slot, commit)

    async def give_up(self) -> None:
        """Drop all partitions: they are read again from the committed offset by who gets them.

        After a rebalance all assigned partitions are sought back to what was committed, the kept
        ones too, so all are dropped.
        """
        former = list(self._slots.items())
        self._slots = {}
        await self._drop_all(former)

    async def _drop_all(self, former: list[tuple[int, _Slot]]) -> None:
        for _, slot in former:
            slot.is_gone = True
            slot.opened.set()

        async def one(number: int, slot: _Slot) -> None:
            async with slot.lock:
                await self._drop(number, slot)

        await asyncio.gather(*(one(*each) for each in former))

    async def _open(self, number: int, slot: _Slot) -> None:
        started = self._now()
        ledger = slot.ledger = self._open_ledger(number)
        try:
            opened = await ledger.open()
        except asyncio.CancelledError:
            await self._drop(number, slot)
            raise
        except RunError as error:
            await self._fail(number, slot, error)

        def refuse(reject: Reject) -> None:
            pipeline.counts.rejects[reject.reason] += 1
            self._on_reject(reject)

        pipeline = self._build(number, refuse)
        found = restore(pipeline, opened.records)
        for broken in found.broken:
            log.error("partition %d: a state record cannot be read: %s", number, broken)
        state = PartitionState(number, pipeline, None, refuse)
        self._place(state, found, opened)
        seconds = self._now() - started
        log.info(
            "partition %d: %d state records restored in %.2f s, next offset %s",
            number,
            found.records,
            seconds,
            state.next_offset,
        )
        # Where nothing is left to be read, time goes on from here.
        slot.event_time = pipeline.watermark.newest
        slot.heard_at = self._now()
        slot.state = state
        slot.opened.set()
        self._observer.opened(state, found, seconds)

    def _place(self, state: PartitionState, found: Restored, opened: Opened) -> None:
        """Decide from which offset on the partition is counted."""
        number, checkpoint = state.number, found.checkpoint
        state.next_offset = opened.begin
        if checkpoint is None:
            return
        if checkpoint.offset > opened.end:
            # Its records would all be passed over as seen, up to the old offset.
            log.error(
                "partition %d: the flows end at offset %d, before the committed %d: the topic was "
                "made anew or was truncated; counting from its begin",
                number,
                opened.end,
                checkpoint.offset,
            )
            return
        if checkpoint.offset < opened.begin:
            state.gaps += opened.begin - checkpoint.offset
            log.error(
                "partition %d: %d records of flows are gone before they were read: retention is "
                "shorter than this worker was away",
                number,
                opened.begin - checkpoint.offset,
            )
        state.next_offset = max(checkpoint.offset, opened.begin)

    def _is_stale(self, number: int, state: PartitionState, offset: int) -> bool:
        """Whether a record was counted already; raises JumpError when one before it is missing.

        Kafka gives a partition's records in order. Only the first one after a restore can be out of
        place: a record of the former assignment, left in a buffer. What fresh buffers begin with
        once more is really the next one.
        """
        expected = state.next_offset
        if expected is None or offset == expected or state.has_begun:
            return expected is not None and offset < expected
        if offset < expected:
            return True
        if self._jumps.get(number) == (expected, offset):
            del self._jumps[number]
            log.error("partition %d: records %d to %d are missing", number, expected, offset - 1)
            return False
        self._jumps[number] = (expected, offset)
        raise JumpError(f"partition {number}: offset {offset} came instead of {expected}")

    async def _count(
        self, number: int, slot: _Slot, state: PartitionState, value: bytes | None, offset: int
    ) -> Commit | None:
        times = self._defects.get(number, {}).get(offset, 0)
        if times >= DEFECT_ATTEMPTS:
            log.error(
                "partition %d: offset %d is passed by after %d failures", number, offset, times
            )
            self._observer.skipped(number, value, offset)
            state.pass_by(offset)
            return None
        try:
            return state.take(value, offset)
        except Exception as error:
            # Whatever it is: the memory is half changed, so the partition must be read again.
            # All that may be read again are remembered, or two in a row would take turns for ever.
            self._defects.setdefault(number, {})[offset] = times + 1
            log.exception("partition %d: the pipeline failed at offset %d", number, offset)
            defect = DefectError(f"partition {number}: failed at offset {offset}: {error!r}")
            defect.__cause__ = error
            await self._fail(number, slot, defect)

    async def _commit(self, number: int, slot: _Slot, commit: Commit | None) -> None:
        if commit is None:
            return
        assert slot.ledger is not None
        started = self._now()
        try:
            await slot.ledger.commit(commit)
        except RunError as error:
            await self._fail(number, slot, error)
        except asyncio.CancelledError:
            await self._drop(number, slot)
            raise
        self._observer.transaction(number, self._now() - started)
        if defects := self._defects.get(number):
            self._defects[number] = {at: n for at, n in defects.items() if at >= commit.offset}
        for closed in commit.closed:
            self._observer.committed(number, closed)

    async def _fail(self, number: int, slot: _Slot, error: RunError) -> NoReturn:
        """Drop a partition that failed; its memory is not what is written."""
        self._observer.failed(number, error)
        await self._drop(number, slot)
        raise error

    async def _drop(self, number: int, slot: _Slot) -> None:
        slot.state = None
        ledger, slot.ledger = slot.ledger, None
        self._observer.given_up(number)
        if ledger is not None:
            await ledger.close()
