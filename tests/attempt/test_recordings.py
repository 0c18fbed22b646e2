"""Flows recorded from running clusters by others: what is counted is what the raw JSON says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.running import run, windows

from hubblewatch.window.closed import WindowRecord

FOLDER = Path(__file__).parents[3] / "shared" / "recordings" / "hubble-otel"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recordings are not here")

NAMES = (
    "basic-sample-400-tcp-flows",
    "basic-sample-400-udp-flows",
    "basic-sample-400-l7-redirected-flows",
    "basic-sample-400-icmpv4-flows",
    "basic-sample-330-dns-flows",
    "basic-sample-348-http-flows",
    "basic-sample-10-flows",
)


def lines_of(name: str) -> list[bytes]:
    return (FOLDER / f"{name}.json").read_bytes().splitlines()


def is_node(endpoint: dict[str, Any]) -> bool:
    return endpoint.get("identity") in {1, 6} and "pod_name" not in endpoint


def five_tuples(lines: list[bytes]) -> set[tuple[str, str, int, str, int]]:
    """Distinct connections, initiator first, of pods or to pods; the proxy's and probes left out.

    Only for recordings in which every initiator has a port above its responder's.
    """
    found: dict[tuple[str, str, int, str, int], list[dict[str, Any]]] = {}
    redirected = set()
    for line in lines:
        flow = json.loads(line)["flow"]
        ((protocol, layer4),) = flow["l4"].items()
        source = (flow["IP"]["source"], layer4["source_port"])
        target = (flow["IP"]["destination"], layer4["destination_port"])
        ends = (flow["source"], flow["destination"])
        if flow.get("trace_observation_point") == "TO_PROXY" or flow["verdict"] == "REDIRECTED":
            redirected.add(target)
        if source[1] < target[1]:
            source, target, ends = target, source, ends[::-1]
        found.setdefault((protocol, *source, *target), []).append({"ends": ends})
    kept = set()
    for key, events in found.items():
        openers = [event["ends"][0] for event in events]
        responders = [event["ends"][1] for event in events]
        if any(end.get("identity") == 4 for end in openers + responders):
            continue
        if any("pod_name" in end for end in openers):
            kept.add(key)
        elif any("pod_name" in end for end in responders):
            is_proxys = (key[3], key[4]) in redirected
            carries_identity = any(end.get("identity", 0) >= 256 for end in openers)
            is_own_node = any(end.get("identity") == 1 for end in openers)
            if not (is_proxys or carries_identity or is_own_node):
                kept.add(key)
    return kept


@pytest.mark.parametrize("name", [NAMES[0], NAMES[1], NAMES[2], NAMES[4], NAMES[5]])
def test_attempts_are_the_distinct_five_tuples(name: str) -> None:
    lines = lines_of(name)
    found = windows(lines)
    assert len(five_tuples(lines)) > 10
    assert sum(window.attempts for window in found) == len(five_tuples(lines))
    assert all(window.attempts == window.allowed for window in found)


@pytest.mark.parametrize("name", NAMES)
def test_no_real_line_is_refused(name: str) -> None:
    found = run(lines_of(name))
    assert found.rejects == []
    assert found.pipeline.counts.late == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_line_twice_gives_the_same_windows(name: str) -> None:
    lines = lines_of(name)
    assert windows(line for line in lines for _ in range(2)) == windows(lines)


def arrival(line: bytes, delay: float) -> tuple[str, float]:
    """A sort key that delays a line by some seconds."""
    time = json.loads(line)["flow"]["time"]
    seconds = int(time[11:13]) * 3_600 + int(time[14:16]) * 60 + float(time[17:-1])
    return time[:10], seconds + delay


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_any_order_within_the_lateness_gives_the_same_windows(name: str, seed: int) -> None:
    lines = lines_of(name)
    delays = random.Random(seed)
    late = sorted(lines, key=lambda line: arrival(line, delays.uniform(0, 9)))
    found = run(late)
    assert found.windows == windows(lines)
    assert found.pipeline.counts.late == 0


def test_all_dns_queries_and_failures_are_counted() -> None:
    found = windows(lines_of("basic-sample-330-dns-flows"))
    assert sum(window.dns_queries for window in found) == 165
    # Of 102 failed answers 42 are steps of the search list to a name that was answered; the cloud's
    # own names were answered where this recording did not look.
    assert sum(window.dns_failures for window in found) == 60


def test_health_pings_are_nobodys() -> None:
    assert windows(lines_of("basic-sample-400-icmpv4-flows")) == []


def test_probes_of_the_kubelet_are_nobodys() -> None:
    def is_probe(line: bytes) -> bool:
        flow = json.loads(line)["flow"]
        return is_node(flow["source"]) or is_node(flow["destination"])

    lines = [line for line in lines_of("basic-sample-10-flows") if is_probe(line)]
    assert lines
    assert windows(lines) == []


def test_the_field_masked_lines_of_ciliums_documentation_count() -> None:
    lines = (FOLDER.parent / "cilium_docs_apache2.jsonl").read_bytes().splitlines()
    found: list[WindowRecord] = windows(lines)
    assert [(w.namespace, w.workload, w.denied, w.edges[0].workload) for w in found] == [
        ("default", "xwing", 1, "deathstar")
    ]
