"""Files that a simulation writes: plain, gzip or zstd, or standard output."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from hubblewatch.simulate.run import Truth, recording_header, simulate
from hubblewatch.simulate.settings import SimulationConfig

_BUFFER_BYTES = 1 << 20


@contextmanager
def recording_writer(target: str) -> Iterator[IO[bytes]]:
    """Opens `target` for writing: `-` is standard output, `.gz` and `.zst` are compressed.

    Equal contents give equal files: gzip's header holds neither time nor name. Raises OSError
    when the file cannot be written.
    """
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("wb", buffering=_BUFFER_BYTES))
        if path.suffix == ".gz":
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0)
            plain = cast(io.RawIOBase, stack.enter_context(packed))
            yield stack.enter_context(io.BufferedWriter(plain, _BUFFER_BYTES))
        elif path.suffix == ".zst":
            compressor = zstandard.ZstdCompressor(level=3)
            yield cast(IO[bytes], stack.enter_context(compressor.stream_writer(raw, closefd=False)))
        else:
            yield raw


def write_simulation(config: SimulationConfig, out: str, truth_file: str | None) -> int:
    """Writes a recording and, if asked for, its truth; gives the number of lines.

    The truth's windows are written as they end, its labels last, so memory stays bounded.
    """
    lines = 0
    with ExitStack() as stack:
        recording = stack.enter_context(recording_writer(out))
        told = None if truth_file is None else stack.enter_context(recording_writer(truth_file))
        if told is not None:
            _write(told, recording_header(config))
        truth = Truth(on_window=lambda window: _write(told, window.line()))
        for line in simulate(config, truth):
            recording.write(line)
            lines += 1
        if told is not None:
            for label in truth.labels:
                _write(told, label.line())
    return lines


def _write(target: IO[bytes] | None, line: str) -> None:
    if target is not None:
        target.write(line.encode() + b"\n")
