"""What ``hubblewatch evaluate`` does: runs the trials, writes and prints the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from rich.console import Console

from hubblewatch.errors import ConfigurationError
from hubblewatch.evaluate.plan import EvaluationPlan, check_names, read_labels
from hubblewatch.evaluate.report import as_json, as_markdown
from hubblewatch.evaluate.systems import RAW_FOREST, SYSTEMS, pipeline_systems
from hubblewatch.evaluate.trial import Case, Trial, Verdict
from hubblewatch.model.loaded import LoadedModel
from hubblewatch.model.store import load_model, shipped_model
from hubblewatch.replay.rejects import Rejects
from hubblewatch.settings import Settings
from hubblewatch.simulate import SimulationConfig, Truth
from hubblewatch.source.damage import damage_of, tell_damage
from hubblewatch.source.merge import in_time_order
from hubblewatch.source.recordings import Recording
from hubblewatch.train.gather import simulated_batches


class EvaluationOrder(Struct, frozen=True):
    """What the command line asks for; ``files`` and ``truths`` belong together by their order."""

    plan: EvaluationPlan
    files: tuple[str, ...] = ()
    truths: tuple[Path, ...] = ()
    json_file: Path | None = None
    markdown_file: Path | None = None
    quiet: bool = False
    systems: tuple[str, ...] = SYSTEMS


class Evaluation(NamedTuple):
    """What came of it; ``is_damaged`` if a recording could not be read to its end, or was none."""

    verdicts: list[Verdict]
    is_damaged: bool


def evaluate(order: EvaluationOrder, settings: Settings) -> Evaluation:
    """Judge all systems; print and write what came of it. Raises ConfigurationError."""
    if len(order.files) != len(order.truths):
        raise ConfigurationError("give one --truth for each recording, in the same order")
    check_names(order.plan.attacks)
    for name in order.systems:
        if name not in SYSTEMS:
            raise ConfigurationError(f"no system {name!r}; there are {', '.join(SYSTEMS)}")
    directory = settings.model.path or shipped_model()
    if directory is None:
        raise ConfigurationError("there is no model to evaluate; set model.path, or give --model")
    model = load_model(directory, alerts_per_day=settings.model.alerts_per_day)
    recordings = [Recording(file) for file in order.files]
    rejects = Rejects()
    console = Console(stderr=True, quiet=order.quiet, highlight=False, soft_wrap=True)
    verdicts: list[Verdict] = []
    left_out = [] if order.files else order.plan.left_out()
    if left_out:
        console.print(
            f"left out, for {order.plan.size} clusters are too small to show them: "
            f"{', '.join(left_out)}",
            markup=False,
        )
    without_flows: list[str] = []
    for case, made in _runs(order, settings, model, recordings, rejects, without_flows):
        verdicts.extend(made)
        console.print(
            f"{case.name} intensity {case.intensity:g} seed {case.seed}: {_told(made)}",
            markup=False,
        )
        # Written each time: an evaluation that is stopped has not been for nothing.
        _write(order, verdicts, model.label)
    print_to = Console(highlight=False, soft_wrap=True)
    print_to.print(as_markdown(verdicts, model.label), markup=False)
    if rejects.total:
        console.print(f"lines that could not be used: {rejects.described}", markup=False)
    damage = damage_of(recordings) + without_flows
    tell_damage(damage)
    return Evaluation(verdicts, bool(damage))


def _runs(
    order: EvaluationOrder,
    settings: Settings,
    model: LoadedModel,
    recordings: Sequence[Recording],
    rejects: Rejects,
    without_flows: list[str],
) -> Iterator[tuple[Case, list[Verdict]]]:
    if recordings:
        for seed, (recording, truth) in enumerate(zip(recordings, order.truths, strict=True)):
            trial, refused = _trial(order, settings, model, rejects), rejects.total
            yield _recorded(recording, truth, seed, trial, rejects)
            if rejects.total > refused and not trial.flows:
                without_flows.append(
                    f"none of the {recording.lines_read} lines of {recording.name} was a flow; is "
                    "that a recording of Hubble?"
                )
        return
    for case, config in order.plan.cases():
        yield case, _simulated(case, config, _trial(order, settings, model, rejects))


def _trial(
    order: EvaluationOrder, settings: Settings, model: LoadedModel, rejects: Rejects
) -> Trial:
    wanted = [s for s in pipeline_systems(settings, model) if s.name in order.systems]
    return Trial(settings, wanted, with_raw=RAW_FOREST in order.systems, on_reject=rejects.take)


def _simulated(case: Case, config: SimulationConfig, trial: Trial) -> list[Verdict]:
    truth = Truth(on_window=lambda _: None)
    for batch in simulated_batches(config, truth):
        trial.take(batch)
    trial.finish()
    return trial.verdicts(case, truth.labels)


def _recorded(
    recording: Recording, truth: Path, seed: int, trial: Trial, rejects: Rejects
) -> tuple[Case, list[Verdict]]:
    labels = read_labels(truth)
    attacks = [label for label in labels if label.kind == "attack"]
    name = Path(recording.name).name
    kind = "attack" if attacks else "quiet"
    if len(attacks) == 1:
        case = Case(attacks[0].name, kind, attacks[0].intensity, seed)
    else:
        case = Case(name, kind, 1.0, seed)
    for batch in in_time_order([recording], rejects.take):
        trial.take(list(batch))
    trial.finish()
    return case, trial.verdicts(case, labels)


def _told(made: Sequence[Verdict]) -> str:
    parts = []
    for verdict in made:
        found = [
            f"after {attack.windows_to_detect}" if attack.windows_to_detect else "no"
            for attack in verdict.attacks
        ]
        parts.append(f"{verdict.system} {' and '.join(found) or 'no'} (+{verdict.wrong} false)")
    return ", ".join(parts)


def _write(order: EvaluationOrder, verdicts: Sequence[Verdict], model: str) -> None:
    try:
        if order.json_file is not None:
            order.json_file.write_bytes(as_json(verdicts, model))
        if order.markdown_file is not None:
            order.markdown_file.write_text(as_markdown(verdicts, model))
    except OSError as error:
        raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}") from None
