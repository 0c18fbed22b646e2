"""``hubblewatch detect`` whose transactions fail where FAULT says; for tests only.

``FAULT=write:3:after:kill``: after the third ``write`` of the process (over all its partitions) it
kills itself. Steps are ``begin``, ``write``, ``offset`` and ``end``; the times ``before``, ``amid``
(while the step is under way) and ``after``; the acts ``kill`` and ``block``, which stops the event
loop for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hubblewatch.log import configure_logging
from hubblewatch.settings import load_settings
from hubblewatch.worker.command import run_worker
from hubblewatch.worker.ledger import Ledger

T = TypeVar("T")

STEPS = ("begin", "write", "offset", "end")
TIMES = ("before", "amid", "after")
VARIABLE = "FAULT"
AMID_SECONDS = 0.003
"""Some of a step's requests are on their way then, others not."""


class FaultyLedger(Ledger):
    """A ledger that acts at one step of the process's life."""

    left: int = 0
    step: str = ""
    time: str = ""
    act: str = ""

    async def _step(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        cls = type(self)
        if name == cls.step:
            cls.left -= 1
        is_now = name == cls.step and cls.left == 0
        if is_now and cls.time == "before":
            cls.fail()
        if is_now and cls.time == "amid":
            working = asyncio.ensure_future(super()._step(name, work))
            await asyncio.sleep(AMID_SECONDS)
            cls.fail()
            return await working
        done = await super()._step(name, work)
        if is_now and cls.time == "after":
            cls.fail()
        return done

    @classmethod
    def fail(cls) -> None:
        """Do what was asked for."""
        if cls.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            time.sleep(1)


def main() -> None:
    """Run the worker with the fault of the environment."""
    fault = os.environ.pop(VARIABLE, "")
    if fault:
        step, left, when, act = fault.split(":")
        assert step in STEPS
        assert when in TIMES
        FaultyLedger.step, FaultyLedger.left = step, int(left)
        FaultyLedger.time, FaultyLedger.act = when, act
    settings = load_settings(Path(sys.argv[sys.argv.index("--config") + 1]))
    configure_logging(settings.log)
    run_worker(settings, FaultyLedger)


if __name__ == "__main__":
    main()
