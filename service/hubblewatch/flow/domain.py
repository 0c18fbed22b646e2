"""The parts of a DNS name: what was registered, and what its owner put below."""

from __future__ import annotations

_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
"""Second-level labels under which a two-letter top-level domain registers names."""


def registered_labels(labels: list[str]) -> int:
    """Give how many labels at the end of a name were registered, as far as can be told without a
    list: two, or three where a country registers under labels such as ``co`` or ``com``."""
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL:
        return 3
    return 2


def registered_domain(name: str) -> str:
    """Give the domain that was registered for a name."""
    labels = name.rstrip(".").lower().split(".")
    return ".".join(labels[-registered_labels(labels) :])


def public_labels(labels: list[str]) -> int:
    """Give how many labels at the end of a name are nobody's: those that domains are registered
    under, such as ``com`` or ``co.uk``."""
    if labels[-1] not in _TOP_LEVEL and len(labels[-1]) != 2:
        return 0
    return min(registered_labels(labels), len(labels)) - 1


_COMMON = "app arpa biz cloud com dev edu gov info int internal io lan local mil net org"
_TOP_LEVEL = frozenset(_COMMON.split())
