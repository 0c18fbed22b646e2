"""The demo's recording says what its README promises, by the truth about it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hubblewatch.alert.record import AlertRecord
from hubblewatch.assemble import build_pipeline
from hubblewatch.evaluate.plan import read_labels
from hubblewatch.model.loaded import FixedModel
from hubblewatch.model.store import load_model, shipped_model
from hubblewatch.settings import Settings
from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import open_recordings

DEMO = Path(__file__).parents[2] / "deploy" / "demo"


@pytest.fixture(scope="module")
def paged() -> list[AlertRecord]:
    """What the shipped settings and model page about in the recording."""
    directory = shipped_model()
    assert directory is not None
    pipeline = build_pipeline(Settings(), models=FixedModel(load_model(directory)))
    recordings = open_recordings([str(DEMO / "recording.jsonl.zst")])
    closed = []
    for batch in in_time_order(recordings, lambda _: None):
        closed += pipeline.take(list(batch))
    closed += pipeline.finish()
    return [
        alert
        for one in closed
        for alert in one.alerts
        if alert.status == "firing" and alert.severity != "info"
    ]


def test_the_recording_is_small() -> None:
    assert (DEMO / "recording.jsonl.zst").stat().st_size < 2_000_000


def test_every_attack_is_found_and_nothing_else_is_said(paged: list[AlertRecord]) -> None:
    labels = read_labels(DEMO / "truth.jsonl")
    attacks = {label.name for label in labels if label.kind == "attack"}
    expected = {
        "policy-break": "policy-denials",
        "port-scan": "port-scan",
        "hijacked-pod": "isolation-forest",
        "udp-flood": "udp-spike",
        "namespace-sprawl-fast": "namespace-sprawl",
    }
    assert attacks == set(expected)
    subjects = {
        expected[label.name]: {namespace for namespace, _, _ in label.subjects}
        for label in labels
        if label.kind == "attack"
    }
    assert {alert.detector: {alert.namespace} for alert in paged} == subjects


def test_the_forest_finds_what_no_rule_speaks_of(paged: list[AlertRecord]) -> None:
    (label,) = (x for x in read_labels(DEMO / "truth.jsonl") if x.name == "hijacked-pod")
    ((namespace, workload, _),) = label.subjects
    told = {a.detector for a in paged if (a.namespace, a.workload) == (namespace, workload)}
    assert told == {"isolation-forest"}


def test_the_truth_is_that_of_the_script() -> None:
    script = (DEMO / "make.sh").read_text()
    first = msgspec.json.decode((DEMO / "truth.jsonl").read_bytes().partition(b"\n")[0])
    assert f"--seed {first['recording']['seed']} " in script
