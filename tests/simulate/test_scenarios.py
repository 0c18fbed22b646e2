"""Each scenario does what its label says, and only after its start."""

from pathlib import Path

import pytest

from hubblewatch.simulate import (
    Label,
    ScenarioError,
    ScenarioSpec,
    SimulationConfig,
    Size,
    simulate,
)
from hubblewatch.simulate.scenarios import SCENARIOS
from tests.simulate.recording import Recording, recording

DETECTORS = {
    "policy-denials", "udp-spike", "namespace-sprawl", "port-scan", "host-sweep", "new-edge",
    "external-egress", "dns-anomaly", "beaconing", "connectivity-errors", "silence",
    "isolation-forest", "source-degraded",
}  # fmt: skip


def rate(made: Recording, counter: str, *, during: bool) -> float:
    """Mean of a counter over the label's subjects' windows, during or before it."""
    label = made.label()
    counts = [
        window.counts[counter]
        for window in made.truth.windows
        if window.subject in label.subjects and (window.start_ns >= label.start_ns) is during
    ]
    return sum(counts) / max(1, len(counts))


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_runs_and_labels_itself(name: str) -> None:
    label = recording(name).label()
    assert label.name == name
    assert label.kind in ("attack", "disturbance")
    assert set(label.detectors) <= DETECTORS
    assert label.description
    assert label.kind == "disturbance" or (label.detectors and label.subjects)


def test_default_start_leaves_a_quiet_lead_in() -> None:
    made = recording("port-scan", minutes=5)
    assert made.label().start_ns - min(w.start_ns for w in made.truth.windows) == 120e9


@pytest.mark.parametrize(
    ("scenario", "counter", "per_minute"),
    [
        ("policy-break", "denied", 15),
        ("denied-probe", "denied", 2),
        ("udp-flood", "udp", 1_000),
        ("port-scan", "attempts", 90),
        ("host-sweep", "attempts", 45),
        ("dns-tunnel", "udp", 45),
        ("connectivity-errors", "failed", 15),
        ("batch-peak", "attempts", 250),
    ],
)
def test_an_attack_raises_its_counter(scenario: str, counter: str, per_minute: float) -> None:
    made = recording(f"{scenario}:at=2:for=3", minutes=5)
    raised = rate(made, counter, during=True) - rate(made, counter, during=False)
    assert raised > per_minute


def test_intensity_scales_an_attack() -> None:
    weak = rate(recording("udp-flood:at=2", minutes=5), "udp", during=True)
    strong = rate(recording("udp-flood:at=2:intensity=3", minutes=5), "udp", during=True)
    assert 2.5 < strong / weak < 3.5


def test_udp_share_of_the_namespace_passes_seventy_percent() -> None:
    made = recording("udp-share-shift:at=2", minutes=5)
    label = made.label()
    during = [
        window
        for window in made.truth.windows
        if window.subject[0] == label.subjects[0][0]
        and window.subject[2] == "outbound"
        and window.start_ns >= label.start_ns
    ]
    udp = sum(window.counts["udp"] for window in during)
    assert udp / sum(window.counts["attempts"] for window in during) > 0.7


@pytest.mark.parametrize("name", ["namespace-sprawl-fast", "lateral-movement"])
def test_a_sprawl_reaches_new_namespaces(name: str) -> None:
    made = recording(f"{name}:at=2:intensity=2", minutes=6, size=Size.MEDIUM)
    label = made.label()
    windows = made.windows_of(*label.subjects[0])
    before = set().union(*(w.peer_namespaces for w in windows if w.start_ns < label.start_ns))
    after = set().union(*(w.peer_namespaces for w in windows if w.start_ns >= label.start_ns))
    assert len(after - before) >= 2


def test_a_scenario_that_would_never_begin_is_refused() -> None:
    config = SimulationConfig(minutes=10, scenarios=(ScenarioSpec.parse("port-scan:at=10"),))
    with pytest.raises(ScenarioError, match="begins after 10 minutes, and the recording lasts 10"):
        next(iter(simulate(config)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scaled_out_workload_has_no_more_to_do_after_the_end_of_it(seed: int) -> None:
    made = recording("scale-out:at=10:for=8", minutes=30, seed=seed)
    label = made.label()
    parts: dict[str, list[int]] = {"before": [], "during": [], "after": []}
    for window in made.truth.windows:
        if window.subject in label.subjects:
            where = "during" if window.start_ns >= label.start_ns else "before"
            where = "after" if window.start_ns >= label.end_ns else where
            parts[where].append(window.counts["attempts"])
    before, during, after = (sum(counts) / len(counts) for counts in parts.values())
    assert during > 1.5 * before
    assert after < 1.35 * before


def test_an_unknown_scenario_is_refused_by_name() -> None:
    config = SimulationConfig(scenarios=(ScenarioSpec("port-scam"),))
    with pytest.raises(ScenarioError, match="port-scam"):
        next(simulate(config))


@pytest.mark.parametrize("text", ["quiet:at", "quiet:when=3", "quiet:at=soon", "quiet:for=-1"])
def test_a_wrong_scenario_option_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        ScenarioSpec.parse(text)


def test_the_documentation_has_a_row_for_every_scenario() -> None:
    page = Path(__file__).parents[2] / "docs" / "simulator.md"
    rows = [line.split("|")[1].strip(" `") for line in page.read_text().splitlines() if "|" in line]
    assert set(SCENARIOS) <= set(rows)


def test_data_staging_fails_too_seldom_for_a_rule() -> None:
    made = recording("data-staging:at=2", minutes=12, size=Size.MEDIUM)
    label = made.label()
    during = [w for w in made.windows_of(*label.subjects[0]) if w.start_ns >= label.start_ns]
    assert sum(w.counts["failed"] for w in during) > 0
    assert max(w.counts["failed"] + w.counts["denied"] for w in during) < 10


def test_familiar_paths_meet_nobody_new() -> None:
    made = recording("familiar-paths:at=6", minutes=12, size=Size.MEDIUM)
    label = made.label()
    windows = made.windows_of(*label.subjects[0])
    before = set().union(*(w.peer_namespaces for w in windows if w.start_ns < label.start_ns))
    during = [w for w in windows if w.start_ns >= label.start_ns]
    assert set().union(*(w.peer_namespaces for w in during)) <= before
    assert all(w.counts["failed"] >= 3 for w in during)


@pytest.mark.parametrize(
    ("scenario", "a_minute"),
    [
        ("credential-reuse", (8, 20)),
        ("allowed-egress", (15, 40)),
        ("quiet-recon", (8, 14)),
    ],
)
def test_an_attack_along_allowed_paths_adds_little(
    scenario: str, a_minute: tuple[float, float]
) -> None:
    made = recording(f"{scenario}:at=6", minutes=12)
    label = made.label()
    added = rate(made, "attempts", during=True) - attempts_without(label)
    assert a_minute[0] < added < a_minute[1]
    during = [w for w in made.windows_of(*label.subjects[0]) if w.start_ns >= label.start_ns]
    assert max(w.counts["denied"] + w.counts["failed"] for w in during) < 8


@pytest.mark.parametrize("scenario", ["credential-reuse", "allowed-egress"])
def test_who_has_the_rights_of_a_workload_meets_nobody_new(scenario: str) -> None:
    label = recording(f"{scenario}:at=6", minutes=12).label()
    windows = recording(f"{scenario}:at=6", minutes=12).windows_of(*label.subjects[0])
    usual = recording("quiet", minutes=12).windows_of(*label.subjects[0])
    reached = set().union(*(w.peer_namespaces for w in windows))
    assert reached <= set().union(*(w.peer_namespaces for w in usual))


def test_a_hijacked_pod_does_less_of_its_own_work() -> None:
    label = recording("hijacked-pod:at=6:intensity=0.01", minutes=12).label()
    made = recording("hijacked-pod:at=6:intensity=0.01", minutes=12)
    assert rate(made, "tcp", during=True) < 0.7 * attempts_without(label, "tcp")


def attempts_without(label: Label, counter: str = "attempts") -> float:
    """What the label's subject does in those windows in a recording without the attack."""
    windows = recording("quiet", minutes=12).windows_of(*label.subjects[0])
    counts = [w.counts[counter] for w in windows if w.start_ns >= label.start_ns]
    return sum(counts) / len(counts)
