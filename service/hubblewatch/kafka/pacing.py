"""Gives aiokafka's metadata updates the pause that is missing where it waits for a leader."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

LEAST_SECONDS = 0.25


def pace(client: Any) -> None:
    """Let ``client`` (an AIOKafkaClient) ask for metadata four times a second at most.

    Its producer asks in a bare loop while a partition has no leader: thousands of refused
    connections a second when the broker is away, each with two lines of log.
    """
    update = client._metadata_update
    ended_at = 0.0

    async def paced(*arguments: Any) -> bool:
        nonlocal ended_at
        await asyncio.sleep(max(0.0, ended_at + LEAST_SECONDS - monotonic()))
        try:
            return bool(await update(*arguments))
        finally:
            ended_at = monotonic()

    client._metadata_update = paced
