"""What ``hubblewatch detect`` does around the service: event loop, collector, the end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from hubblewatch.garbage import rarely_collected
from hubblewatch.settings import Settings
from hubblewatch.worker.app import StuckError
from hubblewatch.worker.ledger import Ledger, LedgerSettings
from hubblewatch.worker.partitions import LedgerLike
from hubblewatch.worker.service import WorkerService

log = logging.getLogger(__name__)


def run_worker(
    settings: Settings, make_ledger: Callable[[int, LedgerSettings], LedgerLike] = Ledger
) -> None:
    """Run the worker until it is told to stop; its errors are those of ``WorkerService.run``."""

    async def serve() -> None:
        await WorkerService(settings, make_ledger).run()

    threading.excepthook = _log_end_of_thread
    try:
        with rarely_collected():
            _run(serve())
    except StuckError as error:
        log.error("%s; the process ends", error)
        _leave(1)
    left = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not thread.daemon
    ]
    if left:
        # A consumer's thread that does not end would keep the interpreter waiting for ever.
        log.warning("left behind: %s", ", ".join(thread.name for thread in left))
        _leave(0)


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    # The consumer's thread ends so when its broker is away; the run's end says what matters.
    name = "a thread" if end.thread is None else end.thread.name
    log.warning("%s ended by %s: %s", name, end.exc_type.__name__, end.exc_value)


def _run(work: Coroutine[Any, Any, None]) -> None:
    if sys.platform != "win32":
        import uvloop

        # As a policy: the consumer's thread makes its own loop.
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(work)


def _leave(code: int) -> None:
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
