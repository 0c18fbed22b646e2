"""Standard input, output and error, made fit for use whatever the caller left of them."""

import io
import os
import sys
from contextlib import suppress
from typing import IO, TextIO

_NAMES = ("stdin", "stdout", "stderr")


def prepare_streams() -> None:
    """Open what is closed, and let output replace characters that its encoding lacks."""
    for descriptor, name in enumerate(_NAMES):
        _open_if_closed(descriptor)
        if getattr(sys, name) is None:
            # Python found the descriptor closed when it started.
            setattr(sys, name, _opened(descriptor))
    for stream in (sys.stdout, sys.stderr):
        # Standard error mostly shows such characters as \\x… already, which tells more than a ?.
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            stream.reconfigure(errors="replace")


def discard(stream: TextIO) -> None:
    """Point ``stream`` nowhere, so that the interpreter's own last flush is quiet too."""
    # A stream without a descriptor is one that a caller put there and looks after.
    with suppress(OSError, ValueError):
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _open_if_closed(descriptor: int) -> None:
    """Occupy a closed descriptor: the next socket would get its number, and what is printed."""
    try:
        os.fstat(descriptor)
    except OSError:
        # Not to be read: an input that is missing is no empty one.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
        # Children inherit standard streams.
        os.set_inheritable(descriptor, True)


def _opened(descriptor: int) -> IO[str]:
    mode = "r" if descriptor == 0 else "w"
    return open(descriptor, mode, encoding="utf-8", errors="replace", closefd=False)
