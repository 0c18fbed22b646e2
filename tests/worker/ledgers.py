"""Ledgers without Kafka, for partitions in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from hubblewatch.pipeline import Closed
from hubblewatch.state import Record, Restored
from hubblewatch.worker.errors import FencedError, LedgerError, RunError
from hubblewatch.worker.ledger import Opened
from hubblewatch.worker.partition import Commit, PartitionState


@dataclass
class Log:
    """What the broker holds of one partition; each commit all or nothing."""

    flows: list[bytes] = field(default_factory=list)
    begin: int = 0
    state: dict[bytes, bytes | None] = field(default_factory=dict)
    offset: int = 0
    windows: list[bytes] = field(default_factory=list)
    alerts: list[bytes] = field(default_factory=list)
    epoch: int = 0
    commits: int = 0

    def commit(self, commit: Commit) -> None:
        """Take a commit in."""
        for key, value in commit.state:
            self.state[key] = value
        self.offset = commit.offset
        self.commits += 1
        for closed in commit.closed:
            self.windows += [msgspec.json.encode(w.record()) for w in closed.closing.windows]
            self.alerts += [msgspec.json.encode(alert) for alert in closed.alerts]

    def records(self) -> list[Record]:
        """The state as it is read back."""
        return [(key, value) for key, value in self.state.items() if value is not None]

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Offsets and records from the committed offset on."""
        for offset in range(max(self.offset, self.begin), len(self.flows)):
            yield offset, self.flows[offset]


class FakeLedger:
    """Fences like Kafka: whoever opened last may commit.

    ``hold`` keeps an opening or a commit waiting until it is set; ``fails`` and ``is_lost`` let the
    next commit fail, the latter after it is in the log, as when only its answer is lost.
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.epoch = 0
        self.is_closed = False
        self.hold_open: asyncio.Event | None = None
        self.hold_commit: asyncio.Event | None = None
        self.fails_open = False
        self.fails = False
        self.is_lost = False
        self.committing = asyncio.Event()

    async def open(self) -> Opened:
        """Take the partition over."""
        self.log.epoch += 1
        self.epoch = self.log.epoch
        if self.hold_open is not None:
            await self.hold_open.wait()
        if self.fails_open:
            raise LedgerError("no answer")
        return Opened(self.log.records(), self.log.begin, len(self.log.flows))

    async def commit(self, commit: Commit) -> None:
        """Write, or fail as told."""
        assert not self.is_closed
        self.committing.set()
        if self.hold_commit is not None:
            await self.hold_commit.wait()
        self.committing.clear()
        if self.epoch != self.log.epoch:
            raise FencedError("another worker has it now")
        if self.fails:
            raise LedgerError("no answer")
        self.log.commit(commit)
        if self.is_lost:
            raise LedgerError("the answer was lost")

    async def close(self) -> None:
        """Give up; a producer that is stopped under its commit would hang it."""
        assert not self.committing.is_set()
        self.is_closed = True


class Heard:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.opened_numbers: list[int] = []
        self.committed_windows: list[int] = []
        self.failures: list[str] = []
        self.taken_records = 0
        self.skipped_offsets: list[int] = []
        self.given_up_numbers: list[int] = []

    def opened(self, state: PartitionState, found: Restored, seconds: float) -> None:
        """Remember."""
        self.opened_numbers.append(state.number)

    def committed(self, number: int, closed: Closed) -> None:
        """Remember."""
        self.committed_windows.append(closed.closing.number)

    def transaction(self, number: int, seconds: float) -> None:
        """Nothing to remember."""

    def failed(self, number: int, error: RunError) -> None:
        """Remember."""
        self.failures.append(error.reason)

    def taken(self, number: int) -> None:
        """Remember."""
        self.taken_records += 1

    def skipped(self, number: int, value: bytes | None, offset: int) -> None:
        """Remember."""
        self.skipped_offsets.append(offset)

    def given_up(self, number: int) -> None:
        """Remember."""
        self.given_up_numbers.append(number)


__all__ = ["FakeLedger", "Heard", "Log", "RunError"]
