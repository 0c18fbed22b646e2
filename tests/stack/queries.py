"""Whether a PromQL expression asks only for what a scrape has."""

from __future__ import annotations

import re
from collections.abc import Callable

import promql_parser as promql
from tests.stack.live import Samples

TARGET_LABELS = frozenset({"cluster", "job", "instance"})
"""What the scrape's configuration adds, ``cluster`` if somebody puts it there."""

OF_PROMETHEUS = {"up": [{}], "ALERTS": [{"alertname": "", "alertstate": "firing", "severity": ""}]}
"""Series that Prometheus makes itself."""

_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "Equal": lambda pattern, value: pattern == value,
    "NotEqual": lambda pattern, value: pattern != value,
    "Re": lambda pattern, value: re.fullmatch(pattern, value) is not None,
    "NotRe": lambda pattern, value: re.fullmatch(pattern, value) is None,
}


def wishes_unmet(expression: str, samples: Samples) -> list[str]:
    """What ``expression`` asks for and the scrape does not have, in words."""
    known = {**samples, **OF_PROMETHEUS}
    unmet: list[str] = []

    def look(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            unmet.extend(_selector_unmet(node, known))
        elif isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            unmet.extend(_labels_unmet(node.modifier.labels, node, known))
        elif isinstance(node, promql.BinaryExpr) and node.modifier is not None:
            wanted = [*(node.modifier.group_labels or [])]
            if node.modifier.matching is not None:
                wanted += node.modifier.matching.labels
            unmet.extend(_labels_unmet(wanted, node, known))
        return True

    promql.walk(promql.parse(expression), pre_visit=look)
    return unmet


def metrics_of(expression: promql.Expr) -> list[str]:
    """The names of all metrics below ``expression``."""
    names: list[str] = []

    def look(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector) and node.name:
            names.append(node.name)
        return True

    promql.walk(expression, pre_visit=look)
    return names


def _selector_unmet(selector: promql.VectorSelector, known: Samples) -> list[str]:
    name = selector.name or ""
    if name not in known:
        return [f"no metric {name!r}"]
    ours = [m for m in selector.matchers.matchers if m.name not in TARGET_LABELS]
    unmet = [
        f"{name} has no label {matcher.name}"
        for matcher in ours
        if not any(matcher.name in labels for labels in known[name])
    ]
    fits = [
        labels
        for labels in known[name]
        if all(
            _MATCHES[str(m.op).rpartition(".")[2]](m.value, labels.get(m.name, "")) for m in ours
        )
    ]
    return unmet if unmet or fits else [f"no series of {name} matches {selector.matchers}"]


def _labels_unmet(wanted: list[str], node: promql.Expr, known: Samples) -> list[str]:
    names = metrics_of(node)
    there = {label for name in names for labels in known.get(name, []) for label in labels}
    return [
        f"none of {names} has the label {label}"
        for label in wanted
        if label not in there | TARGET_LABELS
    ]
