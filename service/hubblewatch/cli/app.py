"""The typer application and the list of its subcommands.

A subcommand's module imports only what its options need; what does the work is imported inside the
function, so that ``--help`` does not wait for Kafka's or scikit-learn's libraries.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from hubblewatch import __version__
from hubblewatch.cli.detect import detect
from hubblewatch.cli.doctor import doctor
from hubblewatch.cli.evaluate import evaluate
from hubblewatch.cli.export import export
from hubblewatch.cli.replay import replay
from hubblewatch.cli.simulate import simulate
from hubblewatch.cli.topics import topics
from hubblewatch.cli.train import train
from hubblewatch.cli.watch import watch

COMMANDS: dict[str, Callable[..., Any]] = {
    "detect": detect,
    "export": export,
    "watch": watch,
    "replay": replay,
    "simulate": simulate,
    "train": train,
    "evaluate": evaluate,
    "topics": topics,
    "doctor": doctor,
}
"""Subcommand name to the function whose signature gives its options, in the order of ``--help``."""

app = typer.Typer(
    name="hubblewatch",
    help="Find anomalies in the network flows of clusters that run Cilium.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hubblewatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
