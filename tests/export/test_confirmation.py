"""A source is told how far its lines have arrived, never further."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.connections import tcp
from tests.export.test_exporter import Memory, exporter
from tests.export.test_live_export import until

from hubblewatch.export.confirmation import EVERY_SECONDS, MAX_MARKS, Confirmation
from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.schema import Line


class Counted:
    """A source whose position is the number of lines taken; it then stays open."""

    is_live = True
    complete_through_ns = 0

    def __init__(self, lines: list[bytes]) -> None:
        self.confirmed: list[int] = []
        self._lines = lines
        self._taken = 0

    async def batches(self) -> AsyncIterator[list[Line]]:
        for line in self._lines:
            yield decode_lines([line], print)
            self._taken += 1
        await asyncio.Event().wait()

    def position(self) -> int:
        return self._taken

    async def confirm(self, position: int) -> None:
        self.confirmed.append(position)


class Withheld(Memory):
    """Takes records, and says that the first ``arrived`` of them have arrived."""

    arrived = 0

    @property
    def delivered(self) -> int:
        return self.arrived


async def test_a_mark_is_confirmed_once_all_records_before_it_have_arrived() -> None:
    source = Counted([])
    marks = Confirmation(source)
    for taken, handed_in in ((10, 3), (20, 5), (30, 9)):
        source._taken = taken
        marks.mark(0.0, handed_in)
    await marks.confirm(2)
    assert source.confirmed == []
    await marks.confirm(8)
    await marks.confirm(8)
    assert source.confirmed == [20]
    await marks.confirm(9)
    assert source.confirmed == [20, 30]


def test_marks_are_taken_once_a_second_and_not_without_bound() -> None:
    marks = Confirmation(Counted([]))
    assert not marks.is_due(100.0)
    assert not marks.is_due(100.0 + EVERY_SECONDS / 2)
    assert marks.is_due(100.0 + EVERY_SECONDS)
    for _ in range(MAX_MARKS):
        marks.mark(101.0, 1)
    assert not marks.is_due(200.0)


async def test_an_exporter_confirms_all_lines_only_after_their_records_arrived() -> None:
    lines = tcp()
    memory, source, stop = Withheld(), Counted(lines), asyncio.Event()
    one = exporter(memory)
    running = asyncio.create_task(one.run(source, stop))
    await until(lambda: len(memory.flows()) == len(lines))
    # A second mark shows that there was time to confirm the first.
    await until(lambda: one._confirmation is not None and len(one._confirmation._marks) > 1)
    assert source.confirmed == []

    def has_arrived() -> bool:
        memory.arrived = len(memory.records)
        return source.confirmed[-1:] == [len(lines)]

    await until(has_arrived)
    stop.set()
    await running
