"""The spool keeps records in order, within its bytes, over restarts and damage."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import flow, line

from hubblewatch.errors import ConfigurationError
from hubblewatch.kafka.spool.record import HEAD, SpoolRecord, packed
from hubblewatch.kafka.spool.segment import MAGIC, Segment
from hubblewatch.kafka.spool.spool import LOSSES_FILE, DropReason, Spool
from hubblewatch.window.completeness import EXPORTER_BUFFER

TOPIC = "flows"
MIB = 1 << 20


def record(number: int, value: bytes = b"{}", topic: str = TOPIC) -> SpoolRecord:
    return SpoolRecord(topic, number % 3, value, (("h", b"1"),), 1_000 + number, number)


def envelope(first: int, count: int = 3, at: float = 0.0) -> bytes:
    return b"\n".join(flow(uuid=f"f{first + n}", at=at) for n in range(count))


def numbers(spool: Spool) -> list[int]:
    """Read and release all."""
    found = []
    while (one := spool.read()) is not None:
        found.append(one[0].number)
        spool.release()
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


_opened: list[Spool] = []


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def small(directory: Path, max_bytes: int = 4_000) -> Spool:
    """A spool of a few records a file."""
    spool = Spool(directory, max_bytes, TOPIC)
    _opened.append(spool)
    return spool


def test_records_come_back_whole_and_in_order(directory: Path) -> None:
    spool = small(directory, MIB)
    given = [record(number, envelope(number)) for number in range(50)]
    for one in given:
        spool.append(one)
    got = []
    while (found := spool.read()) is not None:
        got.append(found)
    assert got == [(one, True) for one in given]


def test_what_is_released_leaves_no_file(directory: Path) -> None:
    spool = small(directory, 16_000)
    for number in range(20):
        spool.append(record(number, bytes(range(200))))
    assert spool.counts.bytes > 0
    assert len(segments(directory)) > 1
    assert numbers(spool) == list(range(20))
    assert (spool.counts.bytes, spool.counts.envelopes, spool.counts.oldest_ms) == (0, 0, 0)
    assert not segments(directory)


def test_what_was_read_and_not_released_is_there_at_the_next_start(directory: Path) -> None:
    spool = small(directory)
    for number in range(20):
        spool.append(record(number))
    for _ in range(20):
        assert spool.read() is not None
    spool.close()
    again = small(directory)
    assert again.counts.found == again.counts.envelopes == 20
    found = again.read()
    assert found is not None
    assert (found[0].number, found[1]) == (0, False)


def test_records_put_before_are_read_first(directory: Path) -> None:
    spool = small(directory)
    spool.append(record(5))
    spool.append(record(6))
    spool.put_before([record(3), record(4)])
    spool.close()
    assert numbers(small(directory)) == [3, 4, 5, 6]


def test_beyond_the_bound_the_oldest_go_and_are_counted(directory: Path) -> None:
    spool = small(directory)
    for number in range(200):
        spool.append(record(number, envelope(10 * number, 3)))
        assert sum(path.stat().st_size for path in segments(directory)) <= 4_000 + 500
    kept = numbers(spool)
    counts = spool.counts
    assert kept == list(range(200 - len(kept), 200))
    assert 0 < len(kept) < 200
    assert counts.dropped == {DropReason.FULL: 200 - len(kept)}
    assert counts.dropped_flows[DropReason.FULL] == 3 * (200 - len(kept))
    assert counts.dropped_bytes[DropReason.FULL] > 0


def lost(spool: Spool, partition: int = 0) -> list[tuple[str | int, int]]:
    return [
        (one.lost_events.source, int(one.lost_events.num_events_lost))
        for one in spool.losses.lines(partition)
        if one.lost_events is not None
    ]


def test_dropped_flows_are_told_to_every_partition_by_their_time(directory: Path) -> None:
    spool = small(directory)
    for number in range(200):
        spool.append(record(number, envelope(10 * number, 3, at=number)))
    for partition in range(3):
        told = lost(spool, partition)
        assert {source for source, _ in told} == {EXPORTER_BUFFER}
        assert sum(count for _, count in told) == spool.counts.dropped_flows[DropReason.FULL]
        assert len(told) > 1


def test_a_dropped_loss_is_still_told_to_its_own_partition(directory: Path) -> None:
    spool = small(directory)
    content = {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": "7"}
    spool.append(SpoolRecord(TOPIC, 1, line("lost_events", content, 3), (), 1))
    for number in range(200):
        spool.append(record(number, envelope(10 * number)))
    assert ("PERF_EVENT_RING_BUFFER", 7) in lost(spool, 1)
    assert ("PERF_EVENT_RING_BUFFER", 7) not in lost(spool, 0)


def test_untold_losses_outlast_a_crash(directory: Path) -> None:
    spool = small(directory)
    for number in range(200):
        spool.append(record(number, envelope(10 * number)))
    told = lost(spool)
    spool.close()
    again = small(directory)
    assert lost(again) == told
    again.losses.send()
    again.tell_losses()
    again.close()
    assert not lost(small(directory))


def test_a_full_disk_is_counted_and_leaves_no_half_record(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = small(directory, MIB)
    spool.append(record(1))
    segment = spool._segments[-1]
    real = segment._writing
    assert real is not None

    class Full:
        """A disk with room for five bytes."""

        def write(self, content: bytes) -> int:
            if len(content) > 5 and real.tell() == segment.bytes:
                return real.write(content[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    monkeypatch.setattr(segment, "_writing", Full())
    with pytest.raises(OSError, match="No space left"):
        spool.append(record(2))
    monkeypatch.setattr(segment, "_writing", real)
    spool.append(record(3))
    assert spool.counts.failures == 1
    assert numbers(spool) == [1, 3]


def test_a_directory_that_another_exporter_uses_is_refused(directory: Path) -> None:
    spool = small(directory)
    with pytest.raises(ConfigurationError, match="in use by another exporter"):
        small(directory)
    spool.close()
    small(directory).close()


def written(directory: Path, count: int = 10) -> Path:
    """One file with so many records, left by a crash."""
    spool = Spool(directory, MIB, TOPIC)
    for number in range(count):
        spool.append(record(number, b"x" * 50))
    spool.close()
    (path,) = segments(directory)
    return path


def test_a_torn_tail_is_counted_and_stops_nothing(directory: Path) -> None:
    path = written(directory)
    path.write_bytes(path.read_bytes()[:-7])
    spool = small(directory, MIB)
    assert numbers(spool) == list(range(9))
    assert spool.counts.dropped == {DropReason.DAMAGED: 1}
    assert spool.counts.dropped_bytes[DropReason.DAMAGED] > 0


def test_a_changed_byte_costs_one_record(directory: Path) -> None:
    path = written(directory)
    content = bytearray(path.read_bytes())
    content[len(MAGIC) + HEAD.size + 3] ^= 0xFF
    path.write_bytes(content)
    spool = small(directory, MIB)
    assert numbers(spool) == list(range(1, 10))
    assert spool.counts.dropped == {DropReason.DAMAGED: 1}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 900), st.booleans())
def test_no_damage_ever_stops_the_start(noise: bytes, place: int, cuts: bool) -> None:
    directory = Path(tempfile.mkdtemp())
    try:
        path = written(directory)
        content = path.read_bytes()
        place = min(place, len(content))
        rest = b"" if cuts else content[place + len(noise) :]
        path.write_bytes(content[:place] + noise + rest)
        (directory / LOSSES_FILE).write_bytes(noise)
        spool = small(directory, MIB)
        found = numbers(spool)
        assert found == sorted(found)
        assert set(found) <= set(range(10))
        # What stands before the damage is not touched by it.
        whole = (place - len(MAGIC)) // len(packed(record(0, b"x" * 50))) if place > 8 else 0
        assert found[: max(0, whole)] == list(range(min(10, max(0, whole))))
        spool.append(record(99))
        assert numbers(spool) == [99]
        spool.close()
    finally:
        shutil.rmtree(directory)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 400)),
        st.tuples(st.sampled_from(("read", "release", "restart")), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_nothing_is_missing_or_out_of_place_whatever_comes_in_between(
    steps: list[tuple[str, int]],
) -> None:
    directory = Path(tempfile.mkdtemp())
    spool = small(directory, MIB)
    number, in_flight, released = 0, list[int](), -1
    try:
        for step, size in steps:
            if step == "append":
                spool.append(record(number, b"v" * size))
                number += 1
            elif step == "read":
                found = spool.read()
                if found is not None:
                    in_flight.append(found[0].number)
            elif step == "release" and in_flight:
                released = in_flight.pop(0)
                spool.release()
            elif step == "restart":
                spool.close()
                spool = small(directory, MIB)
                in_flight.clear()
        left = [*in_flight, *_rest(spool)]
        # All that was not released, in order; after a restart some that was may come again.
        assert left == list(range(left[0], number)) if left else released == number - 1
        assert not left or left[0] <= released + 1
        spool.close()
    finally:
        shutil.rmtree(directory)


def _rest(spool: Spool) -> Iterator[int]:
    while (found := spool.read()) is not None:
        yield found[0].number


def test_a_file_that_is_no_segment_is_removed_and_counted(directory: Path) -> None:
    directory.mkdir()
    path = directory / f"{5:020d}.spool"
    path.write_bytes(b"not ours at all")
    segment = Segment.found(path)
    assert (segment.unread, segment.damaged_bytes) == (0, 15)
    spool = small(directory)
    assert spool.counts.dropped_bytes == {DropReason.DAMAGED: 15}
    assert not path.exists()
