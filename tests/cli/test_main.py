import subprocess
import sys
from types import ModuleType

import pytest
import typer

from hubblewatch import __version__
from hubblewatch.__main__ import run
from hubblewatch.cli import app, main
from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.errors import ConfigurationError, HubblewatchError


@pytest.fixture
def command():
    """Add a subcommand ``act`` for the test and take it away again."""
    before = list(app.registered_commands)

    def add(act):
        app.command("act")(act)

    yield add
    app.registered_commands[:] = before


def raising(error):
    def act() -> None:
        raise error

    return act


def test_version_is_shown(capsys):
    assert main(["--version"]) == ExitCode.DONE
    assert capsys.readouterr().out == f"hubblewatch {__version__}\n"


def test_a_command_that_returns_is_done(command):
    command(lambda: None)

    assert main(["act"]) == ExitCode.DONE


def test_an_unknown_command_is_wrong_use(capsys):
    assert main(["no-such-command"]) == ExitCode.WRONG_USE
    shown = capsys.readouterr()
    assert "no-such-command" in shown.err
    assert shown.out == ""


def test_an_unknown_option_is_wrong_use(capsys):
    assert main(["--no-such-option"]) == ExitCode.WRONG_USE
    assert "--no-such-option" in capsys.readouterr().err


def test_a_wrong_setting_is_wrong_use_told_without_a_traceback(command, capsys):
    command(raising(ConfigurationError("window.size_seconds must be at least 1")))

    assert main(["act"]) == ExitCode.WRONG_USE
    assert capsys.readouterr().err == "hubblewatch: window.size_seconds must be at least 1\n"


def test_what_else_stops_the_work_is_a_failure_told_without_a_traceback(command, capsys):
    command(raising(HubblewatchError("Kafka does not answer")))

    assert main(["act"]) == ExitCode.FAILED
    assert capsys.readouterr().err == "hubblewatch: Kafka does not answer\n"


def test_a_defect_leaves_as_it_came(command):
    command(raising(ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        main(["act"])


def test_a_command_may_choose_its_exit_code(command):
    command(raising(typer.Exit(ExitCode.ALERTS_FOUND)))

    assert main(["act"]) == ExitCode.ALERTS_FOUND


def test_ctrl_c_exits_as_shells_expect(command):
    command(raising(KeyboardInterrupt()))

    assert main(["act"]) == ExitCode.INTERRUPTED


def test_the_module_runs_as_the_command():
    shown = subprocess.run(
        [sys.executable, "-m", "hubblewatch", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (shown.returncode, shown.stdout) == (0, f"hubblewatch {__version__}\n")


@pytest.mark.parametrize("amount", [10, 1_000_000], ids=["flushed at the end", "while writing"])
def test_a_reader_that_goes_away_ends_the_command_quietly(amount):
    program = f"""
import sys
from hubblewatch.cli import app, main

@app.command("act")
def act() -> None:
    sys.stdin.read()
    print("x" * {amount})

sys.exit(main(["act"]))
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    writer.stdout.close()
    writer.stdin.close()
    shown = writer.stderr.read()
    writer.stderr.close()

    assert writer.wait(timeout=60) == ExitCode.FAILED
    assert shown == b""


def test_help_does_not_wait_for_the_libraries_that_do_the_work():
    program = """
import sys
from hubblewatch.cli import main

main(["--help"])
heavy = {"aiokafka", "faust", "grpc", "numpy", "sklearn", "skops"} & set(sys.modules)
sys.exit(f"imported by --help: {sorted(heavy)}" if heavy else 0)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (shown.returncode, shown.stderr) == (0, "")


class Interrupted(ModuleType):
    """A module whose loading Ctrl-C met."""

    def __getattr__(self, name):
        raise KeyboardInterrupt


def test_ctrl_c_while_the_command_loads_leaves_no_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, "hubblewatch.cli", Interrupted("hubblewatch.cli"))

    assert run() == ExitCode.INTERRUPTED
