"""``isolation-forest``: minutes whose features are odd together, though none is by itself.

Signal: the score of a model (see ``hubblewatch.model``) passes its threshold, at least two families
of features take part, and so it was in three of the subject's last five windows. The features are
of the last ten minutes or so: what is moderately off and stays so adds up, chance cancels itself. A
burst of one count is the work of the rules; while one of them fires for the subject, this stays
silent.

Defaults: three of five windows, for chance seldom makes a window odd three times; the threshold
comes from the model's budget of alerts.

Known false positives: a new version of a service that spreads its calls otherwise than before; a
migration; a person at work in a pod. Blind: what is odd in one way only, what was there before the
first window, subjects with fewer than ten windows, what is little beside the subject's own traffic,
and what grows so slowly that the baselines grow with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.block import Block
from hubblewatch.detectors.finding import (
    Evidence,
    Finding,
    PeerRef,
    Reason,
    Severity,
    Unnamed,
    began,
    shown_evidence,
)
from hubblewatch.detectors.wording import from_whom, listed, name_of, span_of
from hubblewatch.model.feature import FEATURES, NOTHING, Feature
from hubblewatch.model.loaded import LoadedModel, ModelSource, NoModel
from hubblewatch.window.closed import ClosedWindow, EdgeKey
from hubblewatch.window.closing import Closing

if TYPE_CHECKING:
    from hubblewatch.model.matrix import Matrix
    from hubblewatch.model.measure import Measured

_SLOT = "isolation-forest"
_ODD = "odd"
_SHOWN_WEIGHT = 0.05
"""Features with a smaller share of the oddness are not worth a line."""


class IsolationForestSettings(Block):
    """How persistent and how joint oddness has to be; the model's threshold was found for three of
    five windows and two families."""

    enabled: bool = True
    odd_windows: int = Field(3, ge=1, le=60, description="Odd windows that make an alert.")
    windows: int = Field(5, ge=1, le=60, description="Of so many last windows of the subject.")
    families: int = Field(2, ge=1, le=5, description="Families of features that must take part.")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.odd_windows > self.windows:
            raise ValueError(
                f"odd_windows ({self.odd_windows}) must not be above windows ({self.windows})"
            )
        return self


class IsolationForest:
    """Finds joint oddness, where a model is in force."""

    name = "isolation-forest"

    def __init__(
        self, settings: IsolationForestSettings, models: ModelSource | None = None
    ) -> None:
        self._settings = settings
        self._models: ModelSource = models or NoModel()

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Score all subjects of the closing at once; give a finding for each that stays odd."""
        if not self._models.is_configured or not closing.windows:
            return []
        # numpy comes with the first model, not with the package.
        from hubblewatch.model.forest import are_joint, weights_of
        from hubblewatch.model.measure import is_measurable, measure
        from hubblewatch.model.mixture import grown_edges

        if not is_measurable(closing):
            return []
        measured = measure(closing, memory)
        model = self._models.model if len(measured.rows) else None
        if model is None:
            return []
        scores = model.forest.score(measured.values)
        windows = [closing.windows[row] for row in measured.rows]
        closing.scores = {
            window.subject: float(score) for window, score in zip(windows, scores, strict=True)
        }
        high = [place for place, score in enumerate(scores) if score >= model.threshold]
        if not high:
            return []
        contributions = model.forest.contributions(measured.values[high])
        joint = are_joint(contributions, measured.values[high], self._settings.families)
        weights = weights_of(contributions)
        findings = []
        for row, place in enumerate(high):
            if not joint[row]:
                continue
            window = windows[place]
            past = memory.subject(window.subject)
            odd = self._note(past, closing.number)
            if odd >= self._settings.odd_windows:
                reasons = _reasons(measured, place, weights[row])
                grown = grown_edges(past, window)
                findings.append(
                    self._finding(window, past, float(scores[place]), reasons, odd, model, grown)
                )
        return findings

    def _note(self, past: SubjectMemory, number: int) -> int:
        """Note an odd window; give how many there are among the last ones."""
        slot = past.slots.setdefault(_SLOT, {})
        oldest = number - self._settings.windows
        slot[_ODD] = [n for n in slot.get(_ODD, ()) if oldest < n < number] + [float(number)]
        return len(slot[_ODD])

    def _finding(
        self,
        window: ClosedWindow,
        past: SubjectMemory,
        score: float,
        reasons: list[Reason],
        odd: int,
        model: LoadedModel,
        grown: list[EdgeKey],
    ) -> Finding:
        subject = window.subject
        whom, peers, evidence, unnamed = _contacts(window, past, frozenset(grown))
        shown = _FEATURES_BY_NAME
        texts = [_told(shown[reason.feature], reason) for reason in reasons[:4]]
        return Finding(
            detector=self.name,
            severity=Severity.WARNING,
            subject=subject,
            observed=round(score, 3),
            expected=round(model.threshold, 3),
            unit="oddness",
            summary=(
                f"The traffic {from_whom(subject)} is odd in several ways at once, in {odd} of the "
                f"last {self._settings.windows} windows of {span_of(window)}. Lately: "
                f"{listed(texts, 2)}"
            ),
            description=(
                f"None of it is much by itself; together it is rarer than what the model "
                f"{model.label} takes as usual (score {score:.2f}, threshold "
                f"{model.threshold:.2f}). By weight: {listed(texts, 4)}. "
                f"{whom}: {listed(evidence.edges, 3)}."
            ),
            recommendation=(
                f"Ask what changed in {name_of(subject)}: a release or a migration explains it. If "
                "nothing did, look at the peers named with the command given, and at the processes "
                "of its pods: this is what searching, gathering and carrying away look like when "
                "they are slow and use what the workload may do anyway."
            ),
            reasons=reasons,
            score=score,
            peers=peers,
            evidence=evidence,
            unnamed=unnamed,
            pods=sorted(window.pods),
            since=began(window, self._settings.windows),
            baseline=str(past.state),
            model=model.label,
            shadow=model.shadow,
            needs_all_nodes=True,
        )


def _contacts(
    window: ClosedWindow, past: SubjectMemory, grown: frozenset[EdgeKey]
) -> tuple[str, list[PeerRef], Evidence, Unnamed]:
    """Give the contacts worth a look: the first ones, else those that grew, else the busiest."""
    known = past.edges
    new = frozenset(edge for edge in window.edges if str(edge) not in known)
    for whom, chosen in (("Its first contacts", new), ("More than usual goes to", grown)):
        if chosen:
            peers, evidence, unnamed = shown_evidence(window, "attempts", chosen.__contains__)
            if evidence.edges:
                return whom, peers, evidence, unnamed
    return "Its busiest contacts", *shown_evidence(window, "attempts")


_FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}


def _reasons(measured: Measured, place: int, weights: Matrix) -> list[Reason]:
    """Give the features that made the row odd, heaviest first."""
    found = []
    for column, feature in enumerate(FEATURES):
        weight = float(weights[column])
        if weight < _SHOWN_WEIGHT or abs(measured.values[place, column]) <= NOTHING:
            continue
        digits = 3 if feature.is_share else 1
        found.append(
            Reason(
                feature.name,
                round(float(measured.observed[place, column]), digits),
                round(float(measured.usual_low[place, column]), digits),
                round(float(measured.usual_high[place, column]), digits),
                round(weight, 3),
            )
        )
    return sorted(found, key=lambda reason: (-reason.weight, reason.feature))


def _told(feature: Feature, reason: Reason) -> str:
    if feature.is_share:
        return (
            f"{feature.shown} {reason.observed:.0%} "
            f"(usually {reason.usual_low:.0%} to {reason.usual_high:.0%})"
        )
    return (
        f"{reason.observed:,.1f} {feature.shown} a window "
        f"(usually {reason.usual_low:,.1f} to {reason.usual_high:,.1f})"
    )
