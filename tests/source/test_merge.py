import gzip
import io
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import flow, heartbeat, lost, rfc3339

from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import Recording


def recording(tmp_path, name, lines):
    path = tmp_path / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return Recording(str(path))


def piped(lines):
    return Recording("-", io.BytesIO(b"".join(line + b"\n" for line in lines)))


def merged(*recordings, rejects=None):
    refused = [] if rejects is None else rejects
    return [line for batch in in_time_order(recordings, refused.append) for line in batch]


def times(lines):
    return [line.time for line in lines]


def at(*seconds):
    return [rfc3339(second) for second in seconds]


def test_rotated_files_are_read_oldest_first(tmp_path):
    newer = recording(tmp_path, "a.jsonl", [flow(at=2), flow(at=3)])
    older = recording(tmp_path, "b.jsonl", [flow(at=0), flow(at=1)])

    assert times(merged(newer, older)) == at(0, 1, 2, 3)


def test_files_of_several_nodes_are_merged_line_by_line(tmp_path):
    one = recording(tmp_path, "one.jsonl", [flow(at=0), flow(at=2), flow(at=4)])
    other = recording(tmp_path, "other.jsonl", [flow(at=1), flow(at=3), flow(at=5)])

    assert times(merged(one, other)) == at(0, 1, 2, 3, 4, 5)


def test_a_fraction_of_a_second_decides(tmp_path):
    one = recording(tmp_path, "one.jsonl", [flow(at=0.5), flow(at=0.75)])
    other = recording(tmp_path, "other.jsonl", [flow(at=0), flow(at=0.625)])

    assert times(merged(one, other)) == at(0, 0.5, 0.625, 0.75)


def test_a_pipe_takes_part_in_the_merge(tmp_path):
    file = recording(tmp_path, "one.jsonl", [flow(at=1), flow(at=3)])

    assert times(merged(file, piped([flow(at=0), flow(at=2)]))) == at(0, 1, 2, 3)


def test_a_line_without_time_stays_behind_its_predecessor(tmp_path):
    timeless = flow(at=9).replace(rfc3339(9).encode(), b"")
    one = recording(tmp_path, "one.jsonl", [flow(at=0), timeless, flow(at=2)])
    other = recording(tmp_path, "other.jsonl", [flow(at=1)])

    assert times(merged(one, other)) == [*at(0), "", *at(1, 2)]


def test_control_lines_are_merged_by_their_time(tmp_path):
    one = recording(tmp_path, "one.jsonl", [flow(at=0), lost(at=2)])
    other = recording(tmp_path, "other.jsonl", [heartbeat(1, watermark=1), flow(at=3)])

    assert times(merged(one, other)) == at(0, 1, 2, 3)


def test_times_with_an_offset_are_put_in_their_place(tmp_path):
    shifted = flow(at=1).replace(rfc3339(1).encode(), b"2026-03-02T09:00:01+01:00")
    one = recording(tmp_path, "one.jsonl", [flow(at=0), flow(at=2)])
    other = recording(tmp_path, "other.jsonl", [shifted])

    assert times(merged(one, other)) == [*at(0), "2026-03-02T09:00:01+01:00", *at(2)]


def test_a_file_without_any_flow_does_not_disturb(tmp_path):
    empty = recording(tmp_path, "empty.jsonl", [])
    wrong = recording(tmp_path, "wrong.jsonl", [b"no json"])
    good = recording(tmp_path, "good.jsonl", [flow(at=0)])
    rejects = []

    assert times(merged(empty, wrong, good, rejects=rejects)) == at(0)
    assert [reject.place for reject in rejects] == [f"{wrong.name}:1"]


def test_damage_in_one_file_leaves_the_others_whole(tmp_path):
    path = tmp_path / "damaged.gz"
    packed = gzip.compress(b"".join(flow(at=second) + b"\n" for second in range(500)))
    path.write_bytes(packed[: len(packed) // 2])
    damaged = Recording(str(path))
    good = recording(tmp_path, "good.jsonl", [flow(at=second + 0.5) for second in range(500)])

    found = times(merged(damaged, good))

    assert damaged.damage != ""
    assert set(at(*(second + 0.5 for second in range(500)))) <= set(found)
    assert found == sorted(found)


@given(st.lists(st.lists(st.integers(0, 10_000), max_size=60).map(sorted), min_size=2, max_size=4))
def test_ordered_recordings_give_an_ordered_stream_that_holds_every_line(tmp_path_factory, nodes):
    folder = tmp_path_factory.mktemp("nodes")
    recordings = [
        recording(folder, f"{number}.jsonl", [flow(at=tenth / 10) for tenth in node])
        for number, node in enumerate(nodes)
    ]

    found = times(merged(*recordings))

    assert found == sorted(found)
    assert len(found) == sum(len(node) for node in nodes)


def test_rotated_files_are_open_one_at_a_time(tmp_path, monkeypatch):
    opened = []
    most = 0
    whole = Recording._opened

    def watched(self):
        nonlocal most
        context = whole(self)

        class Watching:
            def __enter__(self):
                nonlocal most
                opened.append(1)
                most = max(most, len(opened))
                return context.__enter__()

            def __exit__(self, *exception):
                opened.pop()
                return context.__exit__(*exception)

        return Watching()

    monkeypatch.setattr(Recording, "_opened", watched)
    recordings = [
        recording(tmp_path, f"{n}.jsonl", [flow(at=10 * n), flow(at=10 * n + 9)]) for n in range(50)
    ]

    assert len(merged(*recordings)) == 100
    assert most == 1


def test_merging_long_recordings_takes_bounded_memory(tmp_path):
    line = flow(at=0)
    stamp = rfc3339(0).encode()

    def lines(offset):
        for second in range(8_000):
            yield line.replace(stamp, rfc3339(second + offset).encode())

    recordings = [recording(tmp_path, f"{n}.jsonl", lines(n / 4)) for n in range(3)]
    total = sum(one.bytes_total for one in recordings)

    tracemalloc.start()
    try:
        count = sum(len(batch) for batch in in_time_order(recordings, lambda _: None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 24_000
    assert peak < total / 4
