"""Runs the command and turns what stopped it into an exit code."""

import errno
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from hubblewatch.cli.app import app
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.streams import discard, prepare_streams
from hubblewatch.errors import ConfigurationError, HubblewatchError

_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What stops writing to a file that is open: the disk is full, its quota, or it is broken."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``hubblewatch`` with ``arguments`` (default: the process's own) and return its exit code.

    Errors meant for people are printed to standard error without a traceback; a defect keeps its
    traceback and leaves as it came.
    """
    prepare_streams()
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _stop_writing(error)
    try:
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)
        code = code or ExitCode.FAILED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(args=arguments, prog_name="hubblewatch")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except HubblewatchError as error:
        _tell(str(error))
        wrong_use = isinstance(error, ConfigurationError)
        return ExitCode.WRONG_USE if wrong_use else ExitCode.FAILED
    except OSError as error:
        # With a file's name it is of opening that file, which who opens it tells of.
        if error.errno != errno.EPIPE and (
            error.errno not in _WRITE_ERRORS or error.filename is not None
        ):
            raise
        return _stop_writing(error)
    return ExitCode.DONE


def _stop_writing(error: OSError) -> int:
    """Give up the output; a reader that went away needs no word about it."""
    discard(sys.stdout)
    if error.errno != errno.EPIPE:
        _tell(f"cannot write the output: {error.strerror}")
    return ExitCode.FAILED


def _tell(text: str) -> None:
    # Where standard error is full too, the exit code is all that is left to say.
    with suppress(OSError):
        typer.echo(f"hubblewatch: {text}", err=True)
