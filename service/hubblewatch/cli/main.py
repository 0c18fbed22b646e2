"""Runs the command and turns what stopped it into an exit code."""

import os
import sys
from collections.abc import Sequence

import typer

from hubblewatch.cli.app import app
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.errors import ConfigurationError, HubblewatchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``hubblewatch`` with ``arguments`` (default: the process's own) and return its exit code.

    Errors meant for people are printed to standard error without a traceback; a defect keeps its
    traceback and leaves as it came.
    """
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return ExitCode.FAILED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(args=arguments, prog_name="hubblewatch")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return ExitCode.FAILED
    except HubblewatchError as error:
        typer.echo(f"hubblewatch: {error}", err=True)
        wrong_use = isinstance(error, ConfigurationError)
        return ExitCode.WRONG_USE if wrong_use else ExitCode.FAILED
    return ExitCode.DONE


def _discard_output() -> None:
    """Point standard output nowhere, so that the interpreter's own last flush is quiet too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
