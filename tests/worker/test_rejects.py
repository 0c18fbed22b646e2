"""The task that keeps refused lines outlives what goes wrong with it."""

from __future__ import annotations

import asyncio

import pytest

from hubblewatch.assemble import open_redaction
from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import Settings
from hubblewatch.worker import rejects


async def test_a_file_that_cannot_be_read_for_a_moment_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rejects, "RETRY_SECONDS", 0.0)
    asked = asyncio.Event()
    times = 0

    def arguments() -> dict[str, object]:
        nonlocal times
        times += 1
        if times > 2:
            asked.set()
        raise ConfigurationError("cannot use /tls/ca.crt, which is kafka.security.ca_file")

    topic = rejects.RejectTopic("rejects", arguments, print, open_redaction(Settings()))
    keeping = asyncio.create_task(topic.run())
    topic.keep("malformed", "partition 0", "no JSON", b"hello")
    await asyncio.wait_for(asked.wait(), 5)
    assert not keeping.done()
    keeping.cancel()
