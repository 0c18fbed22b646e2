"""``dns-anomaly``: look-ups that carry data, or that fail as they did not before.

Signal of a tunnel: ever-new long names under one registered domain. What a workload sends out that
way stands in the names, so they are long, and none is asked for twice, or a cache would answer.
Counted are distinct names with at least 24 characters below the domain, over windows up to an hour;
asked for again and again the same ones are no tunnel. Signal of failures: the share of look-ups
answered with an error is far above the subject's usual one in two of three windows. Steps of
the resolver's search list on the way to an answer are neither failures (``is_on_search_list``) nor
names of their own.

Needs look-ups in the flows, which are there where an L7 DNS policy applies; elsewhere it is silent.

Known false positives of the tunnel: reputation services asked by DNS (virus scanners and mail
filters put a hash into the name); telemetry that does so. Of failures: a server that is down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from math import log2, sqrt

from pydantic import Field

from hubblewatch.baseline.estimate import BaselineState, Estimate
from hubblewatch.baseline.memory import SUSPICIOUS_WEIGHT, Memory
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.finding import Evidence, Finding, PeerRef, Reason, Severity, began
from hubblewatch.detectors.name_sketch import NameSketch
from hubblewatch.detectors.novelty import HOUR
from hubblewatch.detectors.wording import counted, name_of, span_of
from hubblewatch.flow.domain import is_reverse, plain_name, registered_domain
from hubblewatch.window.closed import ClosedWindow
from hubblewatch.window.closing import Closing

_MAX_DOMAINS = 4
_FORGET_WINDOWS = 10
_SHARE = "dns_failure_share"
_BAD = "*failures"
"""Slot entry of the windows whose look-ups failed; no domain begins with an asterisk."""
_LEAST_QUERIES = 5
_JUDGED_WINDOWS, _BAD_WINDOWS = 3, 2
_MAX_NAMES_SHOWN = 3


class DnsAnomalySettings(Block):
    """What is long, many and new, and which failures matter."""

    enabled: bool = True
    cluster_domain: str = Field(
        "cluster.local", description="Whose search suffixes are taken off names."
    )
    length: int = Field(
        24,
        ge=8,
        description="Characters below the registered domain that make a name long. Host names of "
        "people and clouds are mostly shorter; fewer carry too little to be worth a tunnel.",
    )
    names: int = Field(30, ge=5, description="Different long names under one domain in an hour.")
    names_a_window: int = Field(3, ge=1, description="Long names in a window that begin a count.")
    ever_new: float = Field(
        0.7, gt=0.5, le=1, description="Share of the names not asked for in an earlier window."
    )
    critical_names: int = Field(300, ge=5, description="Different names in an hour for critical.")
    failures: int = Field(20, ge=1, description="Failed look-ups that make a window bad.")
    failure_excess: float = Field(
        0.3, gt=0, lt=1, description="Share of failures above the usual share, at least."
    )
    deviations: float = Field(4.0, gt=0, description="Standard deviations of counting above usual.")


class DnsAnomaly:
    """Finds tunnels through DNS, and look-ups that fail."""

    name = "dns-anomaly"

    def __init__(self, settings: DnsAnomalySettings) -> None:
        self._settings = settings

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give a finding for each domain that looks like a tunnel's end, or one for failures."""
        for window in closing.windows:
            if not window.dns_queries and not window.dns_names:
                continue
            past = memory.subject(window.subject)
            tunnels = list(self._tunnels(window, past, closing.number))
            yield from tunnels
            failing = self._failing(window, past, closing)
            if failing is not None and not tunnels:
                yield failing

    def _tunnels(self, window: ClosedWindow, past: SubjectMemory, number: int) -> Iterable[Finding]:
        settings = self._settings
        slot = past.slots.get(self.name, {})
        sketches = {
            domain: NameSketch.read(numbers)
            for domain, numbers in slot.items()
            if domain != _BAD and numbers[1] > number - _FORGET_WINDOWS
        }
        found = []
        for domain, names in sorted(self._long_names(window).items()):
            sketch = sketches.get(domain)
            if sketch is None or sketch.first <= number - HOUR:
                if sketch is None and len(names) < settings.names_a_window:
                    continue
                was_found = sketch is not None and sketch.found
                sketch = sketches[domain] = NameSketch(number, number, found=was_found)
            sketch.add(names, number)
            least = settings.names if not sketch.found else settings.names_a_window
            is_new = sketch.windows == 1 if sketch.found else False
            if sketch.distinct >= least and (
                is_new or (sketch.windows > 1 and sketch.ever_new >= settings.ever_new)
            ):
                sketch.found = True
                found.append(self._tunnel(window, past, domain, names, sketch))
        kept = sorted(sketches, key=lambda domain: (-sketches[domain].asked, domain))
        stored = {domain: sketches[domain].stored() for domain in sorted(kept[:_MAX_DOMAINS])}
        if _BAD in slot:
            stored[_BAD] = slot[_BAD]
        if stored:
            past.slots[self.name] = stored
        else:
            past.slots.pop(self.name, None)
        return found

    def _long_names(self, window: ClosedWindow) -> dict[str, set[str]]:
        """Give the long names of a window by the domain they are under, without it."""
        cluster = f".{self._settings.cluster_domain}"
        suffixes = (f".{window.subject.namespace}.svc{cluster}", f".svc{cluster}", cluster)
        by_domain: dict[str, set[str]] = {}
        for asked in window.dns_names:
            name = plain_name(asked)
            if len(name) <= self._settings.length:
                continue
            suffix = next((suffix for suffix in suffixes if name.endswith(suffix)), "")
            name = name.removesuffix(suffix)
            if is_reverse(name):
                continue
            name = _beyond(name, window.dns_answered)
            domain = registered_domain(name)
            inner = name[: -len(domain) - 1]
            if len(inner) >= self._settings.length:
                by_domain.setdefault(domain, set()).add(inner)
        return by_domain

    def _failing(
        self, window: ClosedWindow, past: SubjectMemory, closing: Closing
    ) -> Finding | None:
        """Judge the window's failures, and learn their usual share."""
        settings = self._settings
        if window.dns_queries < _LEAST_QUERIES or not closing.is_complete:
            return None
        estimate = past.estimate(_SHARE)
        usual = 0.01 * estimate.usual
        share = min(1.0, window.dns_failures / window.dns_queries)
        expected = usual * window.dns_queries
        is_bad = (
            estimate.state is not BaselineState.COLD
            and window.dns_failures >= settings.failures
            and share >= usual + settings.failure_excess
            and window.dns_failures > expected + settings.deviations * sqrt(expected + 1)
        )
        weight = SUSPICIOUS_WEIGHT if is_bad else 1.0
        past.estimates.setdefault(_SHARE, Estimate()).learn(100 * share, weight)
        slot = past.slots.get(self.name, {})
        number = closing.number
        bad = [n for n in slot.get(_BAD, []) if n > number - _JUDGED_WINDOWS]
        if is_bad:
            bad.append(number)
        if bad:
            past.slots.setdefault(self.name, {})[_BAD] = bad
        elif _BAD in slot:
            del slot[_BAD]
            if not slot:
                del past.slots[self.name]
        if not is_bad or len(bad) < _BAD_WINDOWS:
            return None
        low, high = estimate.quantile_range()
        return Finding(
            detector=self.name,
            severity=Severity.WARNING,
            subject=window.subject,
            observed=float(window.dns_failures),
            expected=round(expected, 1),
            unit="failed look-ups",
            summary=(
                f"{share:.0%} of the look-ups of {name_of(window.subject)} fail: "
                f"{window.dns_failures:,} within {span_of(window)}; usual is {usual:.0%}"
            ),
            description=(
                "Names that do not exist, or servers that do not answer. A name was misspelt in a "
                "new configuration, a service was removed while others still ask for it, DNS "
                "itself is in trouble; or a program tries made-up domains until one answers."
            ),
            recommendation=(
                "Look at the names asked for (hubble observe --protocol DNS) and at the last "
                "change of the workload's configuration; see whether CoreDNS is well."
            ),
            reasons=[Reason(_SHARE, share, 0.01 * low, min(1.0, 0.01 * high))],
            score=estimate.deviation(100 * share),
            key="failures",
            pods=sorted(window.pods),
            protocol="dns",
            baseline=str(estimate.state),
        )

    def _tunnel(
        self,
        window: ClosedWindow,
        past: SubjectMemory,
        domain: str,
        names: set[str],
        sketch: NameSketch,
    ) -> Finding:
        settings = self._settings
        subject = window.subject
        distinct = round(sketch.distinct)
        length = sum(map(len, names)) / len(names)
        critical = distinct >= settings.critical_names
        examples = [f"{name}.{domain}" for name in sorted(names)[:_MAX_NAMES_SHOWN]]
        return Finding(
            detector=self.name,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            subject=subject,
            observed=float(distinct),
            expected=0.0,
            unit="different long names",
            summary=(
                f"{name_of(subject)} asked for about {counted(distinct, 'different long name')} "
                f"under {domain} within {span_of(window, _window_count(sketch))}"
            ),
            description=(
                f"The names have {length:.0f} characters below the domain on average, "
                f"{_entropy(names):.1f} bits of information each, and {sketch.ever_new:.0%} of "
                f"them were never asked for before. For example {examples[0]}. That is how data "
                "is carried out through DNS; some virus scanners and mail filters do it on purpose."
            ),
            recommendation=(
                f"Find out who owns {domain}. If nobody knows it, block it in the DNS policy "
                "(toFQDNs, or rules.dns), and keep the pod for examination."
            ),
            reasons=[
                Reason("new_names", float(distinct), 0.0, float(settings.names), 0.5),
                Reason("name_length", round(length, 1), 0.0, float(settings.length), 0.3),
                Reason("ever_new_share", round(sketch.ever_new, 3), 0.0, settings.ever_new, 0.2),
            ],
            score=distinct / settings.names,
            key=domain,
            peers=[PeerRef(domain, ports=[53], attempts=len(names))],
            evidence=Evidence(edges=examples),
            pods=sorted(window.pods),
            since=began(window, _window_count(sketch)),
            protocol="dns",
            baseline=str(past.state),
        )


def _beyond(name: str, answered: Container[str]) -> str:
    """Give what a name has behind an answered one at its front, all of it where there is none.

    A search list may hold any domain: the cloud's or the company's beside the cluster's. A step of
    it carries no more than the name that is searched for, which counts under its own domain. What
    stands behind it counts nonetheless, or a known name in front would hide a tunnel.
    """
    front = name.rpartition(".")[0]
    while front:
        if front in answered:
            return name[len(front) + 1 :]
        front = front.rpartition(".")[0]
    return name


def _window_count(sketch: NameSketch) -> int:
    """Give over how many windows a sketch has counted."""
    return sketch.last - sketch.first + 1


def _entropy(names: set[str]) -> float:
    """Give the information in a name, bits, by how often each character occurs in all of them."""
    letters = Counter("".join(sorted(names)))
    total = sum(letters.values())
    each = -sum(count / total * log2(count / total) for count in letters.values())
    return each * total / len(names)
