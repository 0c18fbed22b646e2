import gzip
import io
import os
import threading

import pytest
import zstandard
from tests.builders import flow

from hubblewatch.errors import ConfigurationError
from hubblewatch.flow.decode import MAX_LINE_BYTES
from hubblewatch.flow.reject import RejectReason
from hubblewatch.source.recordings import Recording, open_recordings

LINES = [flow(at=second) for second in range(300)]
TEXT = b"".join(line + b"\n" for line in LINES)


def lines_of(recording, rejects=None):
    refused = [] if rejects is None else rejects
    return [line for batch in recording.batches(refused.append) for line in batch.lines]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", TEXT),
        ("a.json", TEXT),
        ("a.log", TEXT),
        ("a.jsonl.gz", gzip.compress(TEXT)),
        ("a.jsonl.zst", zstandard.compress(TEXT)),
        ("compressed-by-content.jsonl", gzip.compress(TEXT)),
        ("plain-by-content.gz", TEXT),
    ],
)
def test_a_recording_is_read_whatever_its_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    recording = Recording(str(path))

    assert lines_of(recording) == LINES
    assert recording.damage == ""
    assert recording.lines_read == len(LINES)
    assert recording.bytes_read == recording.bytes_total == len(content)


def test_standard_input_is_read_compressed_too():
    recording = Recording("-", io.BytesIO(gzip.compress(TEXT)))

    assert lines_of(recording) == LINES
    assert recording.bytes_total is None


def test_lines_of_a_pipe_come_before_the_next_chunk_is_there():
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as sink:  # noqa: PTH123
        sink.write(LINES[0] + b"\n")
        batches = Recording("-", source).batches(lambda _: None)
        # Reading blocks if it waits for more than there is, so it gets a thread.
        first = []
        thread = threading.Thread(target=lambda: first.append(next(batches)), daemon=True)
        thread.start()
        thread.join(10)
        assert first[0].lines == LINES[:1]


def test_a_named_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(TEXT,), daemon=True)
    writer.start()
    recording = Recording(str(path))

    assert not recording.is_rereadable
    assert lines_of(recording) == LINES
    writer.join(10)


def test_rejects_name_file_and_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES[0] + b"\n\nno json\n" + LINES[1] + b"\n")
    rejects = []

    decoded = [line for batch in Recording(str(path)).decoded(rejects.append) for line in batch]

    assert len(decoded) == 2
    assert [(reject.reason, reject.place) for reject in rejects] == [
        (RejectReason.MALFORMED, f"{path}:3")
    ]


def test_line_numbers_stay_right_behind_a_line_that_is_too_long(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * (MAX_LINE_BYTES + 1) + b"\nno json\n")
    rejects = []

    list(Recording(str(path)).decoded(rejects.append))

    assert [(reject.reason, reject.place) for reject in rejects] == [
        (RejectReason.TOO_LONG, f"{path}:1"),
        (RejectReason.MALFORMED, f"{path}:2"),
    ]


def test_a_truncated_recording_gives_its_lines_and_is_marked_as_damaged(tmp_path):
    path = tmp_path / "a.gz"
    packed = gzip.compress(TEXT)
    path.write_bytes(packed[: len(packed) // 2])
    recording = Recording(str(path))

    found = lines_of(recording)

    assert found == LINES[: len(found)]
    assert len(found) > 10
    assert recording.damage.startswith(f"{path} was read up to line {len(found)} only")


def test_a_file_that_is_not_there_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(ConfigurationError, match="check the name"):
        Recording(str(tmp_path / "absent.jsonl"))


def test_a_directory_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(ConfigurationError, match=r"is a directory; name the recordings in it"):
        Recording(str(tmp_path))


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(ConfigurationError, match="cannot read"):
        Recording("a\0b")


def test_a_recording_named_twice_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(TEXT)

    with pytest.raises(ConfigurationError, match="more than once"):
        open_recordings([str(path), str(path)])
