import gzip
import io
import random
import tracemalloc

import pytest
import zstandard

from hubblewatch.errors import ConfigurationError
from hubblewatch.source.compression import CHUNK_BYTES, DamagedError, unpack

TEXT = b"".join(b'{"line": %d, "salt": %d}\n' % (n, n * 7919 % 1009) for n in range(40_000))
"""Some megabyte, so that it takes several chunks."""


def zstd(text=TEXT, **options):
    return zstandard.ZstdCompressor(**options).compress(text)


def unpacked(packed, read_size=None):
    stream = io.BytesIO(packed)
    return b"".join(unpack(lambda size: stream.read(min(size, read_size or size)), "a"))


def readable_part(packed):
    """What is read of damaged bytes, and what is said about them."""
    stream = io.BytesIO(packed)
    found = b""
    try:
        for chunk in unpack(stream.read, "a"):
            found += chunk
    except DamagedError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("read_size", [None, 1_000])
def test_the_text_comes_out_as_it_went_in(pack, read_size):
    assert unpacked(pack(TEXT), read_size) == TEXT


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_an_empty_text_is_no_error(pack):
    assert unpacked(pack(b"")) == b""


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
@pytest.mark.parametrize("read_size", [None, 7])
def test_members_one_after_the_other_are_one_text(pack, read_size):
    packed = pack(b"one\n") + pack(b"") + pack(b"two\n")

    assert unpacked(packed, read_size) == b"one\ntwo\n"


def test_a_skippable_zstd_frame_is_passed_over():
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"

    assert unpacked(skippable + zstd(b"one\n") + skippable) == b"one\n"


def test_zstd_with_checksum_and_without_size_is_read():
    compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj()

    assert unpacked(compressor.compress(TEXT) + compressor.flush()) == TEXT


def test_padding_behind_gzip_is_ignored():
    assert unpacked(gzip.compress(b"one\n") + bytes(100_000)) == b"one\n"


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert unpacked(b"\xef\xbb\xbf{}\n") == b"{}\n"


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_a_truncated_recording_gives_what_is_readable_and_says_so(pack):
    packed = pack(TEXT)

    found, damage = readable_part(packed[: len(packed) * 3 // 4])

    assert TEXT.startswith(found)
    assert len(found) > len(TEXT) // 2
    assert "ends early" in damage


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_the_loss_of_the_last_byte_is_noticed(pack):
    _, damage = readable_part(pack(TEXT)[:-1])

    assert "ends early" in damage


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_overwritten_bytes_are_damage_and_no_crash(pack):
    packed = bytearray(pack(TEXT))
    middle = len(packed) // 2
    packed[middle : middle + 200] = random.Random(1).randbytes(200)

    _, damage = readable_part(bytes(packed))

    assert "is damaged" in damage


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_what_follows_the_compressed_text_is_damage(pack):
    found, damage = readable_part(pack(b"one\n") + b"no compressed bytes")

    assert found == b"one\n"
    assert "is damaged" in damage


@pytest.mark.parametrize(
    ("pack", "bound"), [(gzip.compress, 4 << 20), (zstd, 80 << 20)], ids=["gzip", "zstd"]
)
def test_a_decompression_bomb_is_unpacked_in_bounded_memory(pack, bound):
    packed = pack(bytes(400 << 20))
    stream = io.BytesIO(packed)
    total = 0
    largest = 0

    tracemalloc.start()
    try:
        for chunk in unpack(stream.read, "a"):
            total += len(chunk)
            largest = max(largest, len(chunk))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert total == 400 << 20
    assert largest <= CHUNK_BYTES
    assert peak < bound


@pytest.mark.parametrize(
    ("begin", "remedy"),
    [
        (b"BZh91AY&SY", "bzip2 -dc a | hubblewatch replay -"),
        (b"\xfd7zXZ\x00\x00\x04", "xz -dc a | hubblewatch replay -"),
        (b"PK\x03\x04\x14\x00\x00\x00", "unzip -p a | hubblewatch replay -"),
        ('{"flow":{}}'.encode("utf-16"), "iconv -f UTF-16"),
    ],
)
def test_a_form_that_is_not_read_is_refused_with_a_remedy(begin, remedy):
    with pytest.raises(ConfigurationError, match="not read") as refused:
        unpacked(begin)

    assert remedy in str(refused.value)
