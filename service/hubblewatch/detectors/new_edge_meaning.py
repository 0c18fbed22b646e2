"""What first contacts can mean, in words: the part of ``new-edge`` that people read."""

from __future__ import annotations

from collections.abc import Sequence

from hubblewatch.detectors.destinations import is_control, is_metadata
from hubblewatch.window.closed import EdgeKey

_WHY_METADATA = (
    "The metadata service gives the machine's own credentials to whoever asks it: that is what an "
    "intruder in a pod, or a request that a pod was tricked into, is after. A program that uses "
    "the cloud's own libraries asks for them, too."
)
_ADVICE_METADATA = (
    " If it needs the cloud's credentials, give it a role of its own; deny the metadata service to "
    "all others."
)
_WHY_CONTROL = (
    "From there a whole node or more can be had, as far as the workload's rights go. It can be a "
    "compromised pod that looks for a way on, or a new version that asks the cluster about itself."
)
_WHY_MANY = (
    "A workload that meets one peer after another, databases and the API server above all, can be "
    "a compromised pod that looks for a way on; or a new version has new partners."
)
_WHY_ONE = (
    "A first contact is mostly a new version with a new partner; it can be a pod that looks around."
)


def meaning_of(edges: Sequence[EdgeKey]) -> str:
    """Say what the gravest of these contacts can mean."""
    if any(map(is_metadata, edges)):
        return _WHY_METADATA
    if len(edges) > 1:
        return _WHY_MANY
    return _WHY_CONTROL if is_control(edges[0]) else _WHY_ONE


def advice_on(edges: Sequence[EdgeKey]) -> str:
    """Say what to do besides what is to be done about any new peer."""
    return _ADVICE_METADATA if any(map(is_metadata, edges)) else ""
