"""A closing as a matrix of features: the one code for training and for serving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hubblewatch.baseline.estimate import COLD_UNTIL, Estimate
from hubblewatch.baseline.features import features as counts_of
from hubblewatch.baseline.memory import Memory
from hubblewatch.baseline.past import SubjectMemory
from hubblewatch.model.feature import FEATURES, SHARE_MARGIN
from hubblewatch.model.lately import follow, sigma_of_means
from hubblewatch.model.matrix import Indices, Matrix
from hubblewatch.model.mixture import mixture_distance
from hubblewatch.model.shares import Shares
from hubblewatch.window.closed import ClosedWindow
from hubblewatch.window.closing import Closing

_COUNTS = ("connections", "failed", "denied", "peer_ports", "peer_addresses", "peer_namespaces")
_GROWS_WITH_LOAD = np.array([False, True, True, False, True, False])
_SHARES = len(FEATURES) - len(_COUNTS)
_EVENNESS, _MIXTURE = _SHARES - 2, _SHARES - 1
_LOW = np.array([feature.low for feature in FEATURES])
_HIGH = np.array([feature.high for feature in FEATURES])

_SCALE_FLOOR = 0.05
_SHARE_FLOOR = 0.02
_NO_SHARE_FLOOR = 0.05
"""Of evenness and mixture, which have no counting noise that could be told."""

_USUAL_DEVIATIONS = 2.0
_NOTHING = Estimate()


@dataclass(frozen=True)
class Measured:
    """The subjects of a closing that have a past, one row each, in the closing's order.

    ``rows`` are their places among the closing's windows. ``values`` are the features, ``observed``
    what they were made from (a count or a share of the last windows, weighted as the feature is),
    ``usual_low`` and ``usual_high`` the usual range of that.
    """

    rows: Indices
    values: Matrix
    observed: Matrix
    usual_low: Matrix
    usual_high: Matrix


def is_measurable(closing: Closing) -> bool:
    """Tell whether the closing was seen well enough for its windows to be compared at all."""
    return closing.is_complete and not closing.completeness.silent_nodes


def measure(closing: Closing, memory: Memory) -> Measured:
    """Measure a closing that the memory has met and not learned yet.

    Only of the subject's own window and memory: the same in whatever partition it lies. Teaches
    the subjects' usual shares, so it must be called once for each measurable closing.
    """
    windows = closing.windows
    memories = [memory.subject(window.subject) for window in windows]
    counted = [counts_of(window) for window in windows]
    counts = np.array([[c[name] for name in _COUNTS] for c in counted], dtype=np.float64)
    counts = counts.reshape(len(windows), len(_COUNTS))
    udp = np.array([c["udp"] for c in counted], dtype=np.float64)
    estimates = [
        [past.estimates.get(name, _NOTHING) for name in _COUNTS]  # the order of the columns
        for past in memories
    ]
    shape = counts.shape
    centres = np.array([[e.centre for e in row] for row in estimates]).reshape(shape)
    scales = np.array([[e.scale for e in row] for row in estimates]).reshape(shape)
    sigmas = sigma_of(centres, scales)
    distances = np.log1p(counts) - centres
    load = np.maximum(distances[:, :1], 0.0)

    shares, trials = _shares(windows, counts, udp, memories)
    usual = Shares(memories, _SHARES)
    share_sigmas = _sigma_of_shares(usual.centres, usual.scatters, trials)
    known = np.array([past.windows >= COLD_UNTIL for past in memories], dtype=bool)
    known &= usual.are_known
    deviations = np.hstack(
        [
            (distances - _GROWS_WITH_LOAD * load) / sigmas,
            (shares - usual.centres) / share_sigmas,
        ]
    )
    # What is not known yet has no deviation, and must leave none behind.
    values = np.where(known[:, np.newaxis], deviations, 0.0)
    spread = np.ones(values.shape)
    # All but the mixture, which is of the last windows already.
    spread[:, :-1] = sigma_of_means(memories)
    values[:, :-1] = follow(memories, values[:, :-1], closing.number) / spread[:, :-1]
    usual.learn(shares)

    centres = np.hstack([centres, usual.centres])
    sigmas = np.hstack([sigmas, share_sigmas])
    observed = centres + values * spread * sigmas
    margins = _USUAL_DEVIATIONS * spread * sigmas
    rows = np.flatnonzero(known)
    return Measured(
        rows,
        np.clip(values, _LOW, _HIGH)[rows],
        _shown(observed)[rows],
        _shown(centres - margins)[rows],
        _shown(centres + margins)[rows],
    )


def _shown(levels: Matrix) -> Matrix:
    """Give levels as people count: counts from logarithms, and nothing below none."""
    shown = levels.copy()
    shown[:, : len(_COUNTS)] = np.expm1(levels[:, : len(_COUNTS)])
    return np.maximum(shown, 0.0)


def _sigma_of_shares(centres: Matrix, scatters: Matrix, trials: Matrix) -> Matrix:
    """Give the standard deviation of a share: what was seen, and what counting alone causes."""
    least = 0.5 / trials
    likely = np.clip(centres, least, 1 - least)
    counting = likely * (1 - likely) / trials
    counting[:, _EVENNESS:] = 0.0
    floors = np.full(_SHARES, _SHARE_FLOOR)
    floors[_EVENNESS:] = _NO_SHARE_FLOOR
    sigmas: Matrix = np.maximum(np.sqrt(scatters * scatters + counting), floors)
    return sigmas


def sigma_of(centres: Matrix, scales: Matrix) -> Matrix:
    """Give ``Estimate.sigma`` of many estimates at once."""
    mean = np.expm1(centres) + 0.5
    counting = mean / (mean + 1) ** 2
    return np.maximum(np.sqrt(scales * scales + counting), _SCALE_FLOOR)


def _shares(
    windows: list[ClosedWindow], counts: Matrix, udp: Matrix, memories: list[SubjectMemory]
) -> tuple[Matrix, Matrix]:
    """Give the shares, in the order of their features, and of how many each is one."""
    connections = np.maximum(counts[:, 0], 0.0) + SHARE_MARGIN
    edges = np.array([len(window.edges) for window in windows], dtype=np.float64)
    new = np.array([window.new_edges for window in windows], dtype=np.float64)
    attempts = np.array([window.attempts for window in windows], dtype=np.float64) + SHARE_MARGIN
    lookups = np.array([window.udp_dns for window in windows], dtype=np.float64)
    mixtures = [mixture_distance(m, w) for m, w in zip(memories, windows, strict=True)]
    shares = np.column_stack(
        [
            udp / connections,
            lookups / attempts,
            new / (edges + SHARE_MARGIN),
            np.array([_external(window) for window in windows], dtype=np.float64) / connections,
            _evenness(windows, edges),
            np.array(mixtures, dtype=np.float64),
        ]
    )
    trials = np.column_stack(
        [connections, attempts, edges + SHARE_MARGIN, connections, connections, connections]
    )
    # Denied look-ups are attempts and no connections, so a share could pass 1.
    return np.minimum(shares, 1.0).reshape(len(windows), _SHARES), trials


def _external(window: ClosedWindow) -> int:
    external = window.external
    if not external:
        return 0
    return sum(
        counts.attempts
        for edge, counts in window.edges.items()
        if not edge.namespace and edge.workload in external
    )


def _evenness(windows: list[ClosedWindow], edges: Matrix) -> Matrix:
    """Give the entropy of attempts over edges, of the largest possible; 0 with fewer than two."""
    lengths = edges.astype(np.int64)
    along = np.array(
        # Sorted, because a sum depends on its order, and edges have none.
        [n for window in windows for n in sorted(c.attempts for c in window.edges.values())],
        dtype=np.float64,
    )
    owner = np.repeat(np.arange(len(windows)), lengths)
    total = np.bincount(owner, along, len(windows))
    logs = np.log(np.maximum(along, 1.0))
    weighted = np.bincount(owner, along * logs, len(windows))
    several = (lengths > 1) & (total > 0)
    entropy = np.log(np.maximum(total, 1.0)) - weighted / np.maximum(total, 1.0)
    return np.where(several, entropy / np.log(np.maximum(edges, 2.0)), 0.0)
