"""Keeps other processes from what one process alone may use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def locked(path: Path) -> int:
    """Make the file ``path`` if need be and lock it; closing the descriptor, or the end, frees it.

    Raises BlockingIOError where another process has it, and other OSErrors.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
