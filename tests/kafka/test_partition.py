import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.kafka.partition import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    # Kafka's own test of its client (UtilsTest.testMurmur2).
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_kafkas_java_client(key, signed):
    assert murmur2(key) == signed % (1 << 32)


@given(st.binary(max_size=64))
def test_the_hash_is_that_of_aiokafka_for_any_key(key):
    assert murmur2(key) == aiokafkas_murmur2(key)


@given(st.text(max_size=63), st.integers(1, 100))
def test_the_partition_is_that_of_aiokafkas_default_partitioner(namespace, partitions):
    chosen = DefaultPartitioner()(namespace.encode(), list(range(partitions)), [])

    assert partition_of(namespace, partitions) == chosen


def test_flows_without_a_namespace_have_a_partition_too():
    assert partition_of("", 12) in range(12)
