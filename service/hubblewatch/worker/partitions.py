"""The partitions that this worker has: opened, fed, committed, and given up at a rebalance."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol

from msgspec import Struct

from hubblewatch.pipeline import Closed, Pipeline
from hubblewatch.state import Record, Restored, restore
from hubblewatch.worker.ledger import Fenced, LedgerError
from hubblewatch.worker.partition import Commit, OnReject, PartitionState

log = logging.getLogger(__name__)


class LedgerLike(Protocol):
    """What a partition needs of its ledger; the real one is transactional Kafka."""

    async def open(self) -> list[Record]:
        """Fence former owners and give the committed state."""

    async def commit(self, commit: Commit) -> None:
        """Write a commit, all or nothing."""

    async def close(self) -> None:
        """Give up."""


class Observer(Protocol):
    """Hears what happened; metrics and health in the service, a list in tests."""

    def opened(self, number: int, pipeline: Pipeline, found: Restored, seconds: float) -> None:
        """A partition was restored."""

    def committed(self, number: int, closed: Closed, pipeline: Pipeline) -> None:
        """A closing of a partition is committed."""

    def transaction(self, number: int, seconds: float) -> None:
        """A transaction took so long."""

    def failed(self, number: int, reason: str) -> None:
        """A commit or restore failed: ``fenced`` or ``failed``."""

    def taken(self, number: int, state: PartitionState) -> None:
        """A record was counted."""

    def given_up(self, number: int) -> None:
        """A partition is no longer this worker's."""


class _Slot(Struct):
    """A partition's place: ``lock`` orders its work and its end."""

    lock: asyncio.Lock
    state: PartitionState | None = None
    ledger: LedgerLike | None = None
    fenced: bool = False
    heard_at: float = 0.0


class Partitions:
    """All partitions of one worker, by number.

    The lock of a partition is held while a record is counted and committed: a producer that is
    stopped under a running transaction would hang its owner for ever.
    """

    def __init__(
        self,
        build: Callable[[int, OnReject], Pipeline],
        open_ledger: Callable[[int], LedgerLike],
        observer: Observer,
        on_reject: Callable[[int], OnReject],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._build = build
        self._open_ledger = open_ledger
        self._observer = observer
        self._on_reject = on_reject
        self._now = now
        self._slots: dict[int, _Slot] = {}
        self.assigned: frozenset[int] = frozenset()

    @property
    def are_restored(self) -> bool:
        """Whether every assigned partition has its state back."""
        return all(
            number in self._slots and self._slots[number].state is not None
            for number in self.assigned
        )

    def next_offset(self, number: int) -> int | None:
        """Give the offset that a partition waits for; None while it is not restored."""
        slot = self._slots.get(number)
        return None if slot is None or slot.state is None else slot.state.next_offset

    async def take(self, number: int, value: bytes | None, offset: int) -> None:
        """Count a record, and commit what it closes. Raises LedgerError when that fails."""
        slot = self._slot(number)
        async with slot.lock:
            if slot.fenced:
                return
            state = slot.state or await self._open(number, slot)
            if state is None:
                return
            slot.heard_at = self._now()
            await self._commit(number, slot, state.take(value, offset))
            self._observer.taken(number, state)

    async def close_quiet(self, after_seconds: float) -> None:
        """Close windows of partitions without heartbeats that were silent for so long.

        Their event time is taken to go on like the clock since the last record: a foreign shipper
        promises nothing, but time passes all the same.
        """
        for number, slot in list(self._slots.items()):
            async with slot.lock:
                state = slot.state
                silent = self._now() - slot.heard_at
                if state is None or silent < after_seconds:
                    continue
                newest = state.pipeline.watermark.newest
                if newest is not None and not state.pipeline.watermark.has_heartbeats:
                    commit = state.quiet_until(newest + int(silent))
                    slot.heard_at = self._now() if commit is not None else slot.heard_at
                    await self._commit(number, slot, commit)

    async def restore(self, numbers: Iterable[int]) -> None:
        """Open partitions at once, before their first record."""

        async def one(number: int) -> None:
            slot = self._slot(number)
            async with slot.lock:
                if slot.state is None and not slot.fenced and number in self.assigned:
                    await self._open(number, slot)

        await asyncio.gather(*(one(number) for number in sorted(numbers)))

    async def give_up(self) -> None:
        """Drop all partitions: they are read again from the committed offset by who gets them.

        After a rebalance all assigned partitions are sought back to what was committed, the kept
        ones too, so all are dropped.
        """
        self.assigned = frozenset()
        for number, slot in list(self._slots.items()):
            async with slot.lock:
                await self._drop(number, slot)
                slot.fenced = False
                self._slots.pop(number, None)

    def _slot(self, number: int) -> _Slot:
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = _Slot(asyncio.Lock(), heard_at=self._now())
        return slot

    async def _open(self, number: int, slot: _Slot) -> PartitionState | None:
        started = self._now()
        ledger = self._open_ledger(number)
        slot.ledger = ledger
        try:
            records = await ledger.open()
        except LedgerError as error:
            await self._fail(number, slot, error)
            return None
        on_reject = self._on_reject(number)
        pipeline = self._build(number, on_reject)
        found = restore(pipeline, records)
        for broken in found.broken:
            log.error("partition %d: a state record cannot be read: %s", number, broken)
        offset = None if found.checkpoint is None else found.checkpoint.offset
        slot.state = PartitionState(number, pipeline, offset, on_reject)
        seconds = self._now() - started
        log.info(
            "partition %d: %d state records restored in %.2f s, next offset %s",
            number,
            found.records,
            seconds,
            offset,
        )
        self._observer.opened(number, pipeline, found, seconds)
        return slot.state

    async def _commit(self, number: int, slot: _Slot, commit: Commit | None) -> None:
        if commit is None:
            return
        assert slot.ledger is not None
        assert slot.state is not None
        started = self._now()
        try:
            await slot.ledger.commit(commit)
        except LedgerError as error:
            await self._fail(number, slot, error)
            return
        self._observer.transaction(number, self._now() - started)
        for closed in commit.closed:
            self._observer.committed(number, closed, slot.state.pipeline)

    async def _fail(self, number: int, slot: _Slot, error: LedgerError) -> None:
        """Drop a partition whose commit or restore failed; its memory is ahead of what is written.

        A fenced one is somebody else's: its records are passed over until the next assignment.
        Any other failure is raised: reading must begin again at the committed offset.
        """
        await self._drop(number, slot)
        if isinstance(error, Fenced):
            log.warning("%s", error)
            slot.fenced = True
            self._observer.failed(number, "fenced")
            return
        self._observer.failed(number, "failed")
        raise error

    async def _drop(self, number: int, slot: _Slot) -> None:
        slot.state = None
        ledger, slot.ledger = slot.ledger, None
        if ledger is not None:
            await ledger.close()
        self._observer.given_up(number)
