"""What exporters counted for a window, all partitions together."""

from __future__ import annotations

from hubblewatch.flow.schema import Census


def joined(known: Census | None, another: Census) -> Census:
    """Join two censuses of one window: of what both counted the higher number holds.

    So the censuses of exporters on different nodes add up, and a repeated one changes nothing. The
    nodes are those of the cluster, whatever traffic there is.
    """
    if known is None:
        return another
    nodes = dict(known.nodes)
    for name, events in another.nodes.items():
        nodes[name] = max(events, nodes.get(name, 0))
    answers = known.answers or another.answers
    return Census(known.start, nodes, max(known.late, another.late), answers)
