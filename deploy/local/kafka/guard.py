"""Keeps a node from outliving its owner, and its folder from being used twice."""

import fcntl
import os
import shlex
import subprocess
from pathlib import Path

from deploy.local.kafka.errors import FolderInUseError


def lock_folder(folder: Path) -> int:
    """Lock ``folder`` until the descriptor is closed here and in the broker, which inherits it."""
    descriptor = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise FolderInUseError(f"another Kafka node runs on {folder}") from None
    return descriptor


def end_with_us(end_command: str) -> subprocess.Popen[bytes]:
    """Start a shell that runs ``end_command`` when this process is gone, however it went.

    The shell waits for the end of its input, which the system closes with our last breath.
    """
    return subprocess.Popen(
        ["sh", "-c", f"cat >/dev/null; {shlex.join(shlex.split(end_command))}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
