"""Nothing on purpose."""

from __future__ import annotations

from hubblewatch.simulate.scenarios.base import Plan, Scenario


class Quiet(Scenario):
    """Nothing happens but the cluster's usual traffic and noise."""

    name = "quiet"
    kind = "disturbance"
    unit = "nothing"

    def begin(self, plan: Plan) -> None:
        """Does nothing."""
