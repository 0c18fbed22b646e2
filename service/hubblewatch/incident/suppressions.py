"""Suppressions: what the operator does not want to hear of, for a time and with a reason."""

from __future__ import annotations

from hubblewatch.detectors.finding import Finding


class Suppressions:
    """Decides whether a finding is suppressed, and by which entry."""

    def match(self, finding: Finding, at: int) -> str | None:
        """Give the name of the entry that suppresses a finding at an epoch second, or None."""
        del finding, at
        return None
