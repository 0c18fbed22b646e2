"""What ``hubblewatch train`` does: gathers, makes, writes, and says what came of it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from hubblewatch.errors import ConfigurationError
from hubblewatch.model.manifest import CARD_FILE
from hubblewatch.model.store import save_model
from hubblewatch.replay.rejects import Rejects
from hubblewatch.settings import Settings
from hubblewatch.simulate import SimulationConfig
from hubblewatch.source.damage import damage_of, tell_damage
from hubblewatch.source.recordings import Recording, open_recordings
from hubblewatch.train.card import PLOT_FILE, model_card, score_plot
from hubblewatch.train.gather import Gathered, gather_recordings, gather_simulated, split_by_time
from hubblewatch.train.make import Made, make_model
from hubblewatch.train.recipe import Recipe, read_recipe

_NO_NAME = re.compile(r"[^a-z0-9.-]+")


class TrainingOrder(Struct, frozen=True):
    """What the command line asks for."""

    out: Path
    files: tuple[str, ...] = ()
    recipe: Path | None = None
    from_topic: bool = False
    since: str | None = None
    until: str | None = None
    name: str | None = None
    budget: float | None = None
    split: float = 0.7
    jobs: int = 1
    quiet: bool = False


class Training(NamedTuple):
    """What came of it; ``is_damaged`` if a recording could not be read to its end."""

    made: Made
    is_damaged: bool


def train_model(order: TrainingOrder, settings: Settings) -> Training:
    """Train as ordered and write the model.

    Raises ConfigurationError for a wrong order, TrainingError where there is too little to learn.
    """
    if [order.recipe is not None, bool(order.files), order.from_topic].count(True) != 1:
        raise ConfigurationError(
            "train takes recordings, or --simulate with a recipe, or --from-topic; one of them, "
            "not both"
        )
    if (order.since or order.until) and not order.from_topic:
        raise ConfigurationError("--since and --until go with --from-topic")
    if order.budget is not None and order.budget <= 0:
        raise ConfigurationError("--budget must be above 0")
    console = Console(stderr=True, quiet=order.quiet, highlight=False, soft_wrap=True)
    try:
        order.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write --out {order.out}: {error.strerror}") from None
    recordings: list[Recording] = []
    if order.recipe is not None:
        made = _from_recipe(order, read_recipe(order.recipe), settings, console)
        command = f"hubblewatch train --out {_shown(order.out)} --simulate {_shown(order.recipe)}"
    elif order.from_topic:
        made = _from_topic(order, settings, console)
        bounds = (("--since", order.since), ("--until", order.until))
        options = "".join(f" {option} {text}" for option, text in bounds if text)
        command = f"hubblewatch train --out {_shown(order.out)} --from-topic{options}"
    else:
        recordings = open_recordings(list(order.files))
        made = _from_recordings(order, recordings, settings, console)
        names = " ".join(_shown(Path(file)) for file in order.files)
        command = f"hubblewatch train --out {_shown(order.out)} {names}"
    others = {CARD_FILE: model_card(made, command), PLOT_FILE: score_plot(made)}
    try:
        save_model(order.out, made.manifest, made.packed, others)
    except OSError as error:
        raise ConfigurationError(f"cannot write {order.out}: {error.strerror}") from None
    _tell(made, order.out, console)
    return Training(made, bool(damage_of(recordings)))


def _from_recipe(
    order: TrainingOrder, recipe: Recipe, settings: Settings, console: Console
) -> Made:
    parts = (recipe.train, recipe.calibrate, recipe.check)
    configs = [[config for spec in part for config in spec.configs()] for part in parts]
    gathered: list[Gathered] = []
    total = sum(len(part) for part in configs)
    everything = [config for part in configs for config in part]
    for source in _gather_all(everything, settings, order.jobs):
        gathered.append(source)
        console.print(
            f"[{len(gathered)}/{total}] {source.source}: {int(source.usable.sum()):,} quiet windows"
            f" of {len(source.rows.values):,}",
            markup=False,
        )
    first, second = len(configs[0]), len(configs[0]) + len(configs[1])
    return make_model(
        order.name or recipe.name,
        recipe.forest,
        recipe.budgets,
        order.budget or recipe.alerts_per_day,
        gathered[:first],
        gathered[first:second],
        gathered[second:],
    )


def _gather_all(
    configs: Sequence[SimulationConfig], settings: Settings, jobs: int
) -> Iterator[Gathered]:
    if jobs == 1:
        for config in configs:
            yield gather_simulated(config, settings)
        return
    with ExitStack() as stack:
        # Fork would take over threads of the libraries, which then wait for ever.
        pool = stack.enter_context(
            ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_end_with_parent)
        )
        yield from pool.map(gather_simulated, configs, [settings] * len(configs))


def _end_with_parent() -> None:
    """A killed parent tells its workers nothing: they would wait for ever."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _from_recordings(
    order: TrainingOrder, recordings: list[Recording], settings: Settings, console: Console
) -> Made:
    console.print(f"reading {len(recordings)} recordings")
    rejects = Rejects()
    gathered = gather_recordings(recordings, settings, rejects.take)
    if rejects.total:
        console.print(f"lines that could not be used: {rejects.described}", markup=False)
    tell_damage(damage_of(recordings))
    return _split_and_made(order, gathered)


def _from_topic(order: TrainingOrder, settings: Settings, console: Console) -> Made:
    # Only here: who trains on recordings needs no Kafka client.
    from hubblewatch.kafka.window_range import RangeProgress
    from hubblewatch.train.topic import gather_topic, parse_range

    wanted = parse_range(order.since, order.until, int(time.time()))
    with Progress(
        TextColumn("reading windows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=order.quiet or not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("reading", total=None)

        def tell(progress: RangeProgress) -> None:
            bar.update(task, total=progress.offsets_total, completed=progress.offsets)

        gathered = gather_topic(settings.kafka, wanted, tell)
    console.print(
        f"{gathered.source}: {int(gathered.usable.sum()):,} quiet windows, "
        + ", ".join(f"{count:,} {why}" for why, count in gathered.left_out.items()),
        markup=False,
    )
    return _split_and_made(order, gathered)


def _split_and_made(order: TrainingOrder, gathered: Gathered) -> Made:
    earlier, later = split_by_time(gathered, order.split)
    default = Recipe()
    name = order.name or _NO_NAME.sub("-", order.out.resolve().name.lower()).strip("-") or "model"
    return make_model(
        name,
        default.forest,
        default.budgets,
        order.budget or default.alerts_per_day,
        [earlier],
        [later],
    )


def _shown(path: Path) -> str:
    """Give a path as typed; of an absolute one the name, for the rest is of this machine alone."""
    return path.name if path.is_absolute() else str(path)


def _tell(made: Made, out: Path, console: Console) -> None:
    manifest = made.manifest
    console.print(
        f"wrote {out}: {manifest.name}@{manifest.version}, {manifest.file.bytes / 1e6:.2f} MB; "
        f"{manifest.training.windows:,} windows fitted, threshold {manifest.threshold:.4f} for "
        f"{manifest.alerts_per_day:g} alerts a day and 100 subjects "
        f"({manifest.calibration.subject_days:.1f} subject days held out)",
        markup=False,
    )
    for check in manifest.checks:
        told = f"after {check.windows_to_detect} windows" if check.windows_to_detect else "never"
        console.print(
            f"  {check.source}: found {told}; {check.false_alerts} other alerts", markup=False
        )
