"""A restart, a rebalance or a replay changes no score, no alert and no reason of the forest."""

from __future__ import annotations

import random
from functools import cache

import msgspec
import numpy as np
import pytest
from tests.worker.test_partition import Kafka, Log, envelopes

from hubblewatch.assemble import build_pipeline
from hubblewatch.detectors.finding import Severity
from hubblewatch.model.fit import fit
from hubblewatch.model.forest import Forest
from hubblewatch.model.loaded import FixedModel, LoadedModel
from hubblewatch.settings import Settings
from hubblewatch.simulate import SimulationConfig
from hubblewatch.state import restore
from hubblewatch.train.gather import gather_simulated
from hubblewatch.window.closed import Subject
from hubblewatch.worker.partition import Commit, PartitionState

SEEDS = (5, 6)
MINUTES = 24
Scores = dict[int, dict[Subject, float]]


@cache
def model() -> FixedModel:
    """A small forest, so easily alarmed that quiet clusters give it something to say."""
    quiet = SimulationConfig(seed=3, minutes=26, rate=4.0, nodes=3, namespaces=4, workloads=10)
    values = gather_simulated(quiet, Settings()).rows.values
    forest = Forest(fit(values, trees=20, sample=64, seed=1))
    return FixedModel(
        LoadedModel("small", "0", forest, float(np.quantile(forest.score(values), 0.6)))
    )


@cache
def log_of(seed: int) -> Log:
    scenarios = ("data-staging:at=14", "policy-break:at=16")
    return envelopes(heartbeats=True, seed=seed, minutes=MINUTES, scenarios=scenarios)


class ScoringKafka(Kafka):
    """Keeps the scores of what was committed, too, and by how many workers it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.scores: Scores = {}
        self.starts = 0

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        for closed in commit.closed:
            assert closed.closing.number not in self.scores
            self.scores[closed.closing.number] = dict(closed.closing.scores)

    def start(self) -> PartitionState:
        """A worker that takes the partition up."""
        self.starts += 1
        settings = Settings(detectors={"isolation-forest": {"odd_windows": 2, "families": 1}})
        pipeline = build_pipeline(settings, models=model())
        assert restore(pipeline, self.records()).broken == []
        return PartitionState(0, pipeline, self.offset, lambda reject: pytest.fail(str(reject)))


def run(log: Log, stops_after: set[int]) -> ScoringKafka:
    """Read the log; after each closing of ``stops_after`` (counted) another worker goes on."""
    kafka = ScoringKafka()
    partition = kafka.start()
    offset, commits = 0, 0
    while offset < len(log):
        commit = partition.take(log[offset], offset)
        offset += 1
        if commit is None:
            continue
        kafka.commit(commit)
        commits += 1
        if commits in stops_after:
            partition = kafka.start()
            offset = kafka.offset
    return kafka


@cache
def undisturbed(seed: int) -> ScoringKafka:
    return run(log_of(seed), set())


def assert_the_same(found: ScoringKafka, wanted: ScoringKafka) -> None:
    assert found.scores == wanted.scores
    assert found.alerts == wanted.alerts
    assert found.windows == wanted.windows


@pytest.mark.parametrize("seed", SEEDS)
def test_the_forest_scores_and_explains_in_these_logs(seed: int) -> None:
    """Else the tests below would compare nothing."""
    wanted = undisturbed(seed)
    assert sum(map(len, wanted.scores.values())) > 50
    alerts = [msgspec.json.decode(alert) for alert in wanted.alerts]
    odd = [alert for alert in alerts if alert["detector"] == "isolation-forest"]
    assert any(alert["severity"] != Severity.INFO and alert["reasons"] for alert in odd)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_after_every_closing_changes_nothing(seed: int) -> None:
    found = run(log_of(seed), set(range(1, MINUTES)))
    assert found.starts > MINUTES - 5
    assert_the_same(found, undisturbed(seed))


@pytest.mark.parametrize("stop", [12, 16, 18])
def test_one_restart_at_any_closing_changes_nothing(stop: int) -> None:
    found = run(log_of(SEEDS[0]), {stop})
    assert found.starts == 2
    assert_the_same(found, undisturbed(SEEDS[0]))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rebalance_there_and_back_changes_nothing(seed: int) -> None:
    dice = random.Random(seed)
    stops = {stop for at in dice.sample(range(9, MINUTES - 4), 4) for stop in (at, at + 1)}
    assert_the_same(run(log_of(seed), stops), undisturbed(seed))


def test_a_replay_says_the_same_again() -> None:
    assert_the_same(run(log_of(SEEDS[1]), set()), undisturbed(SEEDS[1]))
