"""What could not be read of recordings, and how every command tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from hubblewatch.source.recordings import Recording


def damage_of(recordings: Sequence[Recording]) -> list[str]:
    """Give why recordings could not be read to their end; empty if all could."""
    return [recording.damage for recording in recordings if recording.damage]


def tell_damage(damage: Iterable[str]) -> None:
    """Print a line each on standard error, also where a command is to be quiet: it is an error."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for one in damage:
        errors.print(f"hubblewatch: {one}", markup=False)
