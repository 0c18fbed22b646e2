"""When odd windows are an alert."""

from __future__ import annotations

from msgspec import Struct


class Persistence(Struct, frozen=True):
    """How many of a subject's last windows must be odd, and in how many families each."""

    odd: int = 3
    windows: int = 5
    families: int = 2
