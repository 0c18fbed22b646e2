"""The same settings give the same bytes; observation never changes what happened."""

import subprocess
import sys

from hubblewatch.simulate import Aggregation, SimulationConfig, Size, Vantage, simulate
from tests.simulate.recording import recording

SCENARIOS = ("policy-break", "node-loss", "batch-peak", "ring-buffer-loss")


def test_same_settings_give_the_same_lines() -> None:
    config = SimulationConfig(seed=5, minutes=1, size=Size.SMALL)
    assert list(simulate(config)) == list(simulate(config))


def test_another_seed_gives_another_cluster() -> None:
    assert recording(seed=1).truth.header != recording(seed=2).truth.header


def test_lines_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import hashlib, sys\n"
        "from hubblewatch.simulate import SimulationConfig, ScenarioSpec, Size, simulate\n"
        f"specs = tuple(ScenarioSpec(name) for name in {SCENARIOS!r})\n"
        "config = SimulationConfig(seed=3, minutes=1, size=Size.SMALL, scenarios=specs)\n"
        "print(hashlib.sha256(b''.join(simulate(config))).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        ).stdout
        for hash_seed in ("1", "77")
    }
    assert len(digests) == 1


def test_vantage_leaves_the_truth_unchanged() -> None:
    told = {recording(*SCENARIOS, vantage=vantage).truth_text() for vantage in Vantage}
    assert len(told) == 1


def test_aggregation_leaves_the_truth_unchanged() -> None:
    told = {recording(*SCENARIOS, aggregation=level).truth_text() for level in Aggregation}
    assert len(told) == 1


def test_duplicates_and_disorder_leave_the_truth_unchanged() -> None:
    plain = recording(*SCENARIOS).truth_text()
    assert recording(*SCENARIOS, duplicate=True, disorder_seconds=5).truth_text() == plain


def test_an_observation_scenario_leaves_the_windows_unchanged() -> None:
    quiet = [window.line() for window in recording().truth.windows]
    for name in ("ring-buffer-loss", "late-lines", "duplicate-delivery", "exporter-restart"):
        assert [window.line() for window in recording(name).truth.windows] == quiet


def test_a_scenario_does_not_shift_the_quiet_traffic_before_it() -> None:
    def before(*scenarios: str) -> list[str]:
        made = recording(*scenarios, minutes=4)
        start = min(window.start_ns for window in made.truth.windows)
        return [window.line() for window in made.truth.windows if window.start_ns == start]

    assert before() == before("port-scan:at=2", "rollout:at=2")
