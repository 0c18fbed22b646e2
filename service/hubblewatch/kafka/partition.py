"""Which partition a namespace's flows are in: Kafka's default partitioner, in plain Python."""

from functools import lru_cache

REMEMBERED = 65_536
"""Namespaces whose partition is remembered; a cluster has some hundreds."""

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


@lru_cache(maxsize=REMEMBERED)
def partition_of(namespace: str, partitions: int) -> int:
    """Return the partition, from 0, of the subject namespace ``namespace`` ('' for none).

    It is the one that Kafka's own producers choose for that key, so that any shipper which keys by
    namespace agrees with ours. ``partitions`` is the topic's number of partitions, at least 1.
    """
    return (murmur2(namespace.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Return the 32-bit MurmurHash2 of ``key`` as Kafka's clients compute it, without a sign."""
    whole = len(key) & ~3
    mixed = _SEED ^ len(key)
    for begin in range(0, whole, 4):
        word = int.from_bytes(key[begin : begin + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        mixed = (mixed * _MULTIPLIER & _MASK) ^ word
    if whole < len(key):
        mixed = (mixed ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    mixed = (mixed ^ mixed >> 13) * _MULTIPLIER & _MASK
    return mixed ^ mixed >> 15
