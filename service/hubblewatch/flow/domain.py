"""The parts of a DNS name: what was registered, and what its owner put below."""

from __future__ import annotations

import re
from collections.abc import Container

_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
"""Second-level labels under which a two-letter top-level domain registers names."""


def plain_name(name: str) -> str:
    """Give a name as it is compared: in lower case, without the dot at its end."""
    return name.rstrip(".").lower()


def registered_labels(labels: list[str]) -> int:
    """Give how many labels at the end of a name were registered, as far as can be told without a
    list: two, or three where a country registers under labels such as ``co`` or ``com``."""
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL:
        return 3
    return 2


def registered_domain(name: str) -> str:
    """Give the domain that was registered for a name."""
    labels = plain_name(name).split(".")
    return ".".join(labels[-registered_labels(labels) :])


_MOST_LABELS = 16
"""Of a name that is looked up through a search list; more would only cost time."""


def is_on_search_list(failed: str, answered: Container[str]) -> bool:
    """Tell whether a failed look-up was a step of the resolver's search list to an answer.

    A pod with ``ndots:5`` asks for ``example.com.shop.svc.cluster.local``, then without ``shop``
    and so on, before ``example.com``; and for ``db.bank.shop.svc.cluster.local`` before
    ``db.bank.svc.cluster.local``. So a step becomes the name that is answered when some labels
    behind the first are left out, whatever the search domains are. Both names are as
    ``plain_name`` gives them.
    """
    labels = failed.split(".")
    count = len(labels)
    return count <= _MOST_LABELS and any(
        ".".join(labels[:begin] + labels[end:]) in answered
        for end in range(count, 1, -1)
        for begin in range(end - 1, 0, -1)
    )


_REVERSE_6 = re.compile(r"(?:[0-9a-f]\.){32}ip6\.arpa")


def is_reverse(name: str) -> bool:
    """Tell whether a plain name asks whose an IPv6 address is: long, and another for each address.

    Of this one form only, so that other names gain nothing by ending like it.
    """
    return _REVERSE_6.fullmatch(name) is not None


def public_labels(labels: list[str]) -> int:
    """Give how many labels at the end of a name are nobody's: those that domains are registered
    under, such as ``com`` or ``co.uk``."""
    if labels[-1] not in _TOP_LEVEL and len(labels[-1]) != 2:
        return 0
    return min(registered_labels(labels), len(labels)) - 1


_COMMON = "app arpa biz cloud com dev edu gov info int internal io lan local mil net org"
_TOP_LEVEL = frozenset(_COMMON.split())
