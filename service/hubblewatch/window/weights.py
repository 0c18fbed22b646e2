"""Lines of an aggregating exporter, each standing for many flows, to weighted attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hubblewatch.attempt import evidence as e
from hubblewatch.attempt.connection import Connection
from hubblewatch.attempt.evidence import Direction, Outcome
from hubblewatch.attempt.intake import Intake
from hubblewatch.attempt.opener import Openers


def weighted_attempts(
    intake: Intake, openers: Openers
) -> Iterator[tuple[Connection, Outcome, int]]:
    """Give connection, outcome and number of attempts of a window's aggregated lines.

    What a node says of one kind of event in one direction sums up. Other nodes, other kinds and
    the replies show the same attempts again, so of these the highest sum counts. Outcomes are
    apart: several connections share one key where the exporter leaves the client's port out.
    """
    sums: dict[tuple[int, Outcome], defaultdict[tuple[str, int, bool], int]] = {}
    connections: dict[int, Connection] = {}
    for (_, _, node, _, kind), (connection, bits, weight) in intake.weights.items():
        name = id(connection)
        connections[name] = connection
        forth = bool(bits & e.EVENT)
        is_openers = forth == (openers.direction(connection) is Direction.FORTH)
        views = sums.setdefault((name, e.outcome_of_event(bits)), defaultdict(int))
        views[node, kind, is_openers] += weight
    for (name, outcome), views in sums.items():
        yield connections[name], outcome, max(views.values())
