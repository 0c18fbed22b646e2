"""Which features the forest sees: names, families, formulas and ranges, in the matrix's order.

None is a count and none names anybody, so that one forest fits every cluster: a value says how far
a subject is from its own past. All are 0 in a usual window. Less than usual is not odd here, for
that is the work of ``silence``; only evenness has two sides.

A *family* joins features that say much the same: joint oddness asks for several families.
"""

from __future__ import annotations

from msgspec import Struct

FORMULA_VERSION = 1
"""Raised when a formula changes: a model fits the formulas that it was trained with."""

LARGEST_DEVIATION = 8.0
"""Deviations are cut here: beyond, more of the same says nothing new."""

SHARE_MARGIN = 5.0
"""Added to the whole that a share is taken of: one of two is no half yet."""

ACCOMPANYING = frozenset({"volume", "mix"})
"""Families that any burst moves along: they add to a score, and make no oddness joint."""

LEAST_SHIFT = 1e-3
"""A share that moves by less than a thousandth has not moved."""

NOTHING = 1e-3
"""Values closer to 0 than this are 0, rounding aside."""

SCATTER = 2.0
"""A share is only odd beyond so many times its own usual scatter."""


class Feature(Struct, frozen=True):
    """One column: values lie in ``[low, high]``; ``shown`` is what a person is told it is.

    ``is_share`` tells whether observed and usual values are shares (0 to 1) or counts.
    """

    name: str
    family: str
    low: float
    high: float
    formula: str
    reason: str
    shown: str
    is_share: bool


def _deviation(name: str, family: str, formula: str, reason: str, shown: str) -> Feature:
    return Feature(name, family, 0.0, LARGEST_DEVIATION, formula, reason, shown, is_share=False)


def _share(name: str, family: str, low: float, formula: str, reason: str, shown: str) -> Feature:
    return Feature(name, family, low, 1.0, formula, reason, shown, is_share=True)


FEATURES: tuple[Feature, ...] = (
    _deviation(
        "volume",
        "volume",
        "z(connections)",
        "More connections than usual: harmless alone, telling beside the others.",
        "connections",
    ),
    _deviation(
        "failures",
        "failure",
        "(log1p(failed + dropped) - centre - load) / sigma",
        "Attempts at what does not run, beyond what more load explains.",
        "failed attempts",
    ),
    _deviation(
        "denials",
        "denial",
        "(log1p(denied) - centre - load) / sigma",
        "Attempts at what is forbidden, beyond what more load explains.",
        "denied attempts",
    ),
    _deviation(
        "ports",
        "spread",
        "z(peer_ports)",
        "Other services than usual; load does not change their number.",
        "distinct peer ports",
    ),
    _deviation(
        "addresses",
        "spread",
        "(log1p(peer_addresses) - centre - load) / sigma",
        "Fan-out: more addresses than so many attempts usually reach.",
        "distinct peer addresses",
    ),
    _deviation(
        "namespaces",
        "reach",
        "z(peer_namespaces)",
        "Reaching into more namespaces than usual.",
        "distinct peer namespaces",
    ),
    _share(
        "failed_share",
        "failure",
        0.0,
        "beyond((failed + dropped) / (connections + 5))",
        "How much of the traffic fails, not only how surprising that is.",
        "share of attempts that failed",
    ),
    _share(
        "denied_share",
        "denial",
        0.0,
        "beyond(denied / (connections + 5))",
        "How much of the traffic is denied.",
        "share of attempts that were denied",
    ),
    _share(
        "udp_share",
        "udp",
        0.0,
        "beyond(unexplained_udp / (connections + 5))",
        "A shift from TCP to UDP, look-ups that go with connections aside.",
        "share of UDP",
    ),
    _share(
        "new_edge_share",
        "novelty",
        0.0,
        "beyond(new_edges / (edges + 5))",
        "First contacts, of one whose contacts are settled.",
        "share of first contacts among its edges",
    ),
    _share(
        "external_share",
        "outside",
        0.0,
        "beyond(external attempts / (connections + 5))",
        "A shift from the inside of the cluster to the outside.",
        "share of attempts to the outside",
    ),
    _share(
        "evenness",
        "mix",
        -1.0,
        "beyond(entropy of attempts over edges / log(edges))",
        "Contacts become alike (searching) or one stands out (draining).",
        "evenness of attempts over its edges",
    ),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(feature.family for feature in FEATURES))
