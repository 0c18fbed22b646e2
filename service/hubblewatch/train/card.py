"""The model card: what a model is for and how it was judged, with a plot drawn as SVG."""

from __future__ import annotations

import numpy as np

from hubblewatch.model.feature import FEATURES
from hubblewatch.model.manifest import Manifest
from hubblewatch.train.make import Made

PLOT_FILE = "scores.svg"

_BINS = 40
_WIDTH, _HEIGHT = 640, 260
_LEFT, _BOTTOM, _TOP = 56, 40, 16


def model_card(made: Made, command: str) -> str:
    """Give the card as Markdown; ``command`` is what made the model."""
    manifest = made.manifest
    training, calibration = manifest.training, manifest.calibration
    sources = "\n".join(f"- {source}" for source in training.sources)
    held = "\n".join(f"- {source}" for source in calibration.sources)
    return f"""# Model `{manifest.name}`

Version `{manifest.version}`, made by `{command}`.

An isolation forest ({manifest.trees} trees of {manifest.sample} rows) over {len(FEATURES)} \
unitless features of a workload's last minutes. It judges joint oddness: several families of \
features away from the workload's own past at once. Bursts of one count are the work of the rules.

## Threshold

{manifest.threshold:.4f}, for {manifest.alerts_per_day:g} alerts a day and 100 subjects; an alert \
needs {manifest.persistence.odd} odd windows of the last {manifest.persistence.windows}, each odd \
in {manifest.persistence.families} families or more.

{_budgets(manifest)}

Held out were {calibration.windows:,} windows of {calibration.subjects} subjects, \
{calibration.subject_days:.1f} subject days, in which one alert is {calibration.least_budget:g} a \
day and 100 subjects. For a smaller budget, the threshold is where the tail of the highest \
episodes' scores leads to it, taken as exponential; *at most* is what the windows counted exclude \
by themselves (upper Poisson bound, 95 %).

![Scores of the held-out windows]({PLOT_FILE})

{_checks(manifest)}
## Trained on

{training.windows:,} quiet windows of {training.subjects} subjects, from {training.first} to \
{training.last}, and {training.scattered_windows:,} of them again with one feature scattered over \
its range. Left out: {", ".join(f"{count:,} {why}" for why, count in training.left_out.items())}.

{sources}

Threshold from:

{held}

## Features in the training windows

{_features(made)}

## Limits

- Subjects with fewer than ten windows, and windows that were not seen whole, are not judged.
- What was there before the first window is usual, whatever it is.
- What was trained on simulated clusters has seen no real one: run it in shadow mode, then train \
again on recordings of your own cluster.
"""


def score_plot(made: Made) -> str:
    """Give a histogram of the held-out scores, counts as logarithms, with the threshold."""
    threshold = made.manifest.threshold
    low = float(made.scores.min(initial=1.0))
    high = max(float(made.scores.max(initial=0.0)), threshold) + 0.02
    counts, edges = np.histogram(made.scores, bins=_BINS, range=(low, high))
    logs = np.log10(counts + 1)
    tallest = max(float(logs.max()), 1.0)
    plot_width, plot_height = _WIDTH - _LEFT - 16, _HEIGHT - _BOTTOM - _TOP

    def x_of(score: float) -> float:
        return _LEFT + (score - low) / (high - low) * plot_width

    base = _TOP + plot_height
    bars = "\n".join(
        f'<rect x="{x_of(float(edges[k])):.1f}" y="{base - logs[k] / tallest * plot_height:.1f}" '
        f'width="{plot_width / _BINS - 1:.1f}" height="{logs[k] / tallest * plot_height:.1f}" '
        f'fill="#4878a8"/>'
        for k in range(_BINS)
        if counts[k]
    )
    marks = "\n".join(
        f'<text x="{x_of(float(score)):.1f}" y="{base + 16}" text-anchor="middle">'
        f"{score:.2f}</text>"
        for score in np.linspace(low, high, 6)
    )
    powers = "\n".join(
        f'<text x="{_LEFT - 6}" y="{base - power / tallest * plot_height + 4:.1f}" '
        f'text-anchor="end">{10**power:,}</text>'
        for power in range(int(tallest) + 1)
    )
    at = x_of(threshold)
    side, shift = ("end", -4) if at > _WIDTH / 2 else ("start", 4)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" \
viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">
<title>Scores of the held-out windows</title>
<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>
{bars}
<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - 16}" y2="{base}" stroke="#333333"/>
<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{base}" stroke="#b03030" stroke-width="2"/>
<text x="{at + shift:.1f}" y="{_TOP + 10}" text-anchor="{side}" fill="#b03030">threshold</text>
{marks}
{powers}
<text x="{_LEFT + plot_width / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">score</text>
<text x="8" y="{_TOP + 4}">windows</text>
</svg>
"""


def _budgets(manifest: Manifest) -> str:
    rows = "\n".join(
        f"| {entry.alerts_per_day:g} | {entry.threshold:.4f} | {entry.episodes} | "
        f"{entry.at_most:.1f} |"
        for entry in manifest.budgets
    )
    return (
        "| alerts a day and 100 subjects | threshold | alerts on what was held out | at most |\n"
        f"| ---: | ---: | ---: | ---: |\n{rows}"
    )


def _checks(manifest: Manifest) -> str:
    if not manifest.checks:
        return ""
    rows = "\n".join(
        f"| {check.source} | {check.windows_to_detect or 'never'} | {check.false_alerts} | "
        f"{check.subject_days:g} |"
        for check in manifest.checks
    )
    return f"""## Tried on labelled clusters

The forest alone, on clusters that nothing was fitted on; the window in which an attack began is 1.

| cluster | windows to detect | other alerts | subject days |
| --- | ---: | ---: | ---: |
{rows}

"""


def _features(made: Made) -> str:
    rows = "\n".join(
        f"| `{feature.name}` | {np.mean(np.abs(column) > 1):.1%} | "
        f"{np.quantile(column, 0.99):.2f} | {np.quantile(column, 0.999):.2f} | "
        f"{column.max():.2f} |"
        for feature, column in zip(FEATURES, made.values.T, strict=True)
    )
    heading = (
        "| feature | beyond 1 | 99 % | 99.9 % | highest |\n| --- | ---: | ---: | ---: | ---: |"
    )
    return f"{heading}\n{rows}"
