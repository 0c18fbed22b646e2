"""What is known of one node of a stream."""

from __future__ import annotations

from msgspec import Struct, field

from hubblewatch.source.hubble.counts import NodeState
from hubblewatch.source.hubble.loss import Jumps

SPELL_NS = 60_000_000_000
"""Event time over which a node's rate is taken."""

EXPECTED_FLOWS = 20
"""A node counts as silent when it should have sent so many: at a Poisson rate 2e-9 by chance."""

NEWLY_SILENT_NS = 90_000_000_000
"""So long the checks may take to find out about a silent node; after it they have the say."""


class Node(Struct):
    """One node of the stream. ``newest_ns`` is the event time of its newest flow."""

    newest_ns: int = 0
    heard_ns: int = 0
    """When it was heard last, by our clock."""
    flows: int = 0
    """Flows received of it, duplicates among them."""
    state: NodeState = NodeState.CONNECTED
    unproven: bool = False
    """The next flow has to show whether the stream goes on without a gap."""
    jumps: Jumps = field(default_factory=Jumps)
    spell_ns: int = 0
    spell_flows: int = 0
    rate: float = 0.0
    """Flows a second in the last spell."""

    @property
    def usual_rate(self) -> float:
        """Flows a second: of this spell if it is long enough, else of the one before."""
        seconds = (self.newest_ns - self.spell_ns) / 1e9
        if seconds >= 1 and (not self.rate or seconds >= SPELL_NS / 4e9):
            return self.spell_flows / seconds
        return self.rate

    def is_newly_silent(self, latest_ns: int) -> bool:
        """Whether it should have been heard by its habit, and no check may have noticed yet."""
        quiet_ns = latest_ns - self.newest_ns
        expected = self.usual_rate * quiet_ns / 1e9
        return quiet_ns <= NEWLY_SILENT_NS and expected >= EXPECTED_FLOWS

    def set_back(self, time_ns: int) -> None:
        """Its clock was ahead and has been set right: begin anew at ``time_ns``."""
        self.newest_ns = self.spell_ns = time_ns
        self.spell_flows = 0
        self.jumps = Jumps()

    def begin_spell(self, time_ns: int) -> None:
        """Begin to take the rate anew."""
        if self.spell_ns:
            self.rate = self.usual_rate
        self.spell_ns, self.spell_flows = time_ns, 0
