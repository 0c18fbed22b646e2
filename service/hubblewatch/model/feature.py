"""Which features the forest sees: names, families, formulas and ranges, in the matrix's order.

None is a count and none names anybody, so that one forest fits every cluster: a value says how far
a subject's last windows are from its own past, in standard deviations. All are about 0 in usual
windows. Less than usual is not odd here, for that is the work of ``silence``; only evenness has two
sides.

A *family* joins features that say much the same: joint oddness asks for several families.
"""

from __future__ import annotations

from msgspec import Struct

FORMULA_VERSION = 2
"""Raised when a formula changes: a model fits the formulas that it was trained with."""

LARGEST_DEVIATION = 8.0
"""Values are cut here: beyond, more of the same says nothing new."""

SHARE_MARGIN = 5.0
"""Added to the whole that a share is taken of: one of two is no half yet."""

ACCOMPANYING = frozenset({"volume", "evenness", "paths"})
"""Families that any burst moves along: they add to a score, and make no oddness joint."""

NOTHING = 1e-3
"""Values closer to 0 than this are 0, rounding aside."""


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


def _count(name: str, family: str, formula: str, reason: str, shown: str) -> Feature:
    return Feature(name, family, 0.0, LARGEST_DEVIATION, formula, reason, shown, is_share=False)


def _share(
    name: str, family: str, formula: str, reason: str, shown: str, low: float = 0.0
) -> Feature:
    return Feature(name, family, low, LARGEST_DEVIATION, formula, reason, shown, is_share=True)


FEATURES: tuple[Feature, ...] = (
    _count(
        "volume",
        "volume",
        "lately(z(connections))",
        "More connections than usual: harmless alone, telling beside the others.",
        "connections",
    ),
    _count(
        "failures",
        "failure",
        "lately((log1p(failed + dropped) - centre - load) / sigma)",
        "Attempts at what does not run, beyond what more load explains.",
        "failed attempts",
    ),
    _count(
        "denials",
        "denial",
        "lately((log1p(denied) - centre - load) / sigma)",
        "Attempts at what is forbidden, beyond what more load explains.",
        "denied attempts",
    ),
    _count(
        "ports",
        "spread",
        "lately(z(peer_ports))",
        "Other services than usual; load does not change their number.",
        "distinct peer ports",
    ),
    _count(
        "addresses",
        "spread",
        "lately((log1p(peer_addresses) - centre - load) / sigma)",
        "Fan-out: more addresses than so many attempts usually reach.",
        "distinct peer addresses",
    ),
    _count(
        "namespaces",
        "spread",
        "lately(z(peer_namespaces))",
        "Reaching into more namespaces than usual.",
        "distinct peer namespaces",
    ),
    _share(
        "udp_share",
        "udp",
        "lately(s(unexplained_udp / (connections + 5)))",
        "A shift from TCP to UDP, look-ups that go with connections aside.",
        "share of UDP",
    ),
    _share(
        "lookup_share",
        "names",
        "lately(s(udp_dns / (attempts + 5)))",
        "More names are looked up than so many connections usually need.",
        "share of look-ups",
    ),
    _share(
        "new_edge_share",
        "novelty",
        "lately(s(new_edges / (edges + 5)))",
        "First contacts, of one whose contacts are settled.",
        "share of first contacts among its edges",
    ),
    _share(
        "external_share",
        "outside",
        "lately(s(external attempts / (connections + 5)))",
        "A shift from the inside of the cluster to the outside.",
        "share of attempts to the outside",
    ),
    _share(
        "evenness",
        "evenness",
        "lately(s(entropy of attempts over edges / log(edges)))",
        "Contacts become alike (searching) or one stands out (draining).",
        "evenness of attempts over its edges",
        low=-LARGEST_DEVIATION,
    ),
    _share(
        "mixture",
        "paths",
        "s(half the sum of |share of an edge lately - share in the long run|)",
        "Known contacts, but not in their usual proportions.",
        "share of attempts that went elsewhere than usual",
    ),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(feature.family for feature in FEATURES))
