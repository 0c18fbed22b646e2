"""Stops aiokafka's clients: one whose broker is away would not stop by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

STOP_SECONDS = 3.0


async def stop_in_time(stop: Coroutine[Any, Any, object]) -> None:
    """Wait for a client to stop, for 3 s at most; what goes wrong in that does not matter."""
    stopping = asyncio.ensure_future(stop)
    try:
        done, _ = await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        if done and not stopping.cancelled():
            stopping.exception()
    finally:
        stopping.cancel()
