"""What ``hubblewatch replay`` does: opens inputs and outputs, runs, reports."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct
from rich.console import Console

from hubblewatch.detectors.finding import Severity
from hubblewatch.errors import ConfigurationError
from hubblewatch.model.store import load_model
from hubblewatch.replay.comparison import Comparison, print_comparison
from hubblewatch.replay.interruption import Interruption
from hubblewatch.replay.progress import shown_progress
from hubblewatch.replay.report import print_report
from hubblewatch.replay.run import ClosedObserver, Replay
from hubblewatch.replay.serving import ServedReplay
from hubblewatch.replay.summary import Summary
from hubblewatch.replay.writers import AlertWriter, WindowsWriter
from hubblewatch.settings import Settings
from hubblewatch.source.damage import tell_damage
from hubblewatch.source.recordings import STANDARD_INPUT, open_recordings

STANDARD_OUTPUT = "-"
_WAIT_SECONDS = 3_600.0


class Wishes(Struct, frozen=True):
    """What the command line asks for beside settings and recordings."""

    as_json: bool = False
    windows: str | None = None
    serves: bool = False
    listen: str | None = None
    quiet: bool = False
    compare: Path | None = None
    """A second model, to see what it would change."""


class Outcome(NamedTuple):
    """What the exit code is made from."""

    is_interrupted: bool
    is_damaged: bool
    worst: Severity | None


class Command:
    """One call of ``hubblewatch replay``; raises ConfigurationError before anything is read."""

    def __init__(self, settings: Settings, files: list[str], wishes: Wishes) -> None:
        if wishes.as_json and wishes.windows == STANDARD_OUTPUT:
            raise ConfigurationError(
                "--json and --windows - both write to standard output; give --windows a file"
            )
        self._settings = settings
        self._wishes = wishes
        self._files = files
        self._recordings = open_recordings(files)
        self._other = self._other_settings()
        self._check_windows()
        self._address = self._find_address()

    def run(self) -> Outcome:
        """Replay, report, and serve until stopped, as wished."""
        replay = Replay(self._settings, self._recordings)
        summary = Summary()
        interruption = Interruption()
        observers: list[ClosedObserver] = [summary]
        errors = Console(stderr=True)
        with ExitStack() as stack:
            stack.enter_context(interruption.by_signals(signal.SIGINT, signal.SIGTERM))
            if self._wishes.windows is not None:
                output = stack.enter_context(_written(self._wishes.windows))
                observers.append(WindowsWriter(output))
            if self._wishes.as_json:
                observers.append(AlertWriter(sys.stdout.buffer))
            served = self._served(replay)
            if served is not None:
                observers.append(served)
                stack.enter_context(served.served())
                host = self._address[0]
                errors.print(
                    f"serving http://{f'[{host}]' if ':' in host else host}:{served.port}",
                    highlight=False,
                    soft_wrap=True,
                )
            shows_progress = not self._wishes.quiet and errors.is_terminal
            with shown_progress(errors, self._recordings, shows_progress) as on_progress:
                replay.run(observers, interruption, on_progress)
            if served is not None:
                served.complete()
            self._report(replay, summary, errors)
            passes = [replay]
            if self._other is not None and not replay.is_interrupted:
                passes.append(self._compare(replay, summary, self._other, interruption, errors))
            is_interrupted = any(one.is_interrupted for one in passes)
            if served is not None and not is_interrupted:
                errors.print("still serving; Ctrl-C ends", highlight=False)
                _wait(interruption)
        is_damaged = any(one.damage or one.is_without_flows for one in passes)
        return Outcome(is_interrupted, is_damaged, summary.incidents.worst)

    def _report(self, replay: Replay, summary: Summary, errors: Console) -> None:
        if not self._wishes.quiet and not self._wishes.as_json:
            takes_output = self._wishes.windows == STANDARD_OUTPUT
            print_report(errors if takes_output else Console(), replay, summary)
            return
        tell_damage(replay.damage)
        if replay.is_without_flows:
            tell_damage(
                [
                    f"none of the {replay.lines} lines was a flow ({replay.rejects.described}); is "
                    "that a recording of Hubble?"
                ]
            )
        elif replay.rejects.total and not self._wishes.quiet:
            errors.print(
                f"lines that could not be used: {replay.rejects.described}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip

    def _other_settings(self) -> Settings | None:
        if self._wishes.compare is None:
            return None
        if STANDARD_INPUT in self._files:
            raise ConfigurationError(
                "--compare reads the recordings twice, which standard input allows once; "
                "write it to a file first"
            )
        return with_model(self._settings, self._wishes.compare)

    def _compare(
        self,
        replay: Replay,
        summary: Summary,
        other: Settings,
        interruption: Interruption,
        errors: Console,
    ) -> Replay:
        """Replay once more and show what changes; nothing of half a replay, which would lie."""
        second = Replay(other, open_recordings(self._files))
        compared = Summary()
        second.run([compared], interruption)
        tell_damage(damage for damage in second.damage if damage not in replay.damage)
        if second.is_interrupted:
            errors.print("interrupted: nothing was compared", highlight=False)
            return second
        takes_output = self._wishes.as_json or self._wishes.windows == STANDARD_OUTPUT
        print_comparison(
            errors if takes_output else Console(),
            Comparison(summary.incidents, compared.incidents),
            _label(replay),
            _label(second),
        )
        return second

    def _served(self, replay: Replay) -> ServedReplay | None:
        if not self._wishes.serves:
            return None
        return ServedReplay(replay.pipeline, *self._address, replay.model)

    def _find_address(self) -> tuple[str, int]:
        serve = self._settings.serve
        if self._wishes.listen is None:
            return serve.host, serve.port
        host, colon, port = self._wishes.listen.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
            raise ConfigurationError(
                f"--listen {self._wishes.listen!r} is no address; it looks like "
                "127.0.0.1:9464, [::1]:9464 or :9464"
            )
        return host.strip("[]") or serve.host, int(port)

    def _check_windows(self) -> None:
        """Opening it would empty it, so a recording must not be named as output by mistake."""
        windows = self._wishes.windows
        if windows is None or windows == STANDARD_OUTPUT or not Path(windows).exists():
            return
        for recording in self._recordings:
            if recording.name != STANDARD_INPUT and Path(recording.name).samefile(windows):
                raise ConfigurationError(
                    f"--windows {windows} is one of the recordings and would overwrite it; "
                    "name another file"
                )


def with_model(settings: Settings, directory: Path) -> Settings:
    """Give the settings with another model; raise ModelError where it cannot be loaded."""
    wanted = settings.model.model_copy(update={"path": directory, "enabled": True})
    load_model(directory, alerts_per_day=wanted.alerts_per_day)
    return settings.model_copy(update={"model": wanted})


def _label(replay: Replay) -> str:
    described = None if replay.model is None else replay.model.described
    return f"the model {described[0]}@{described[1]}" if described else "no model"


@contextmanager
def _written(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        output = Path(name).open("wb")  # noqa: SIM115 # closed below
    except OSError as error:
        raise ConfigurationError(
            f"cannot write --windows {name}: {error.strerror}; name a file in a directory that "
            "exists and may be written to"
        ) from None
    with output:
        yield output


def _wait(interruption: Interruption) -> None:
    """Wait for a signal, which raises in here."""
    stopped = threading.Event()
    try:
        with interruption.raised_at_once():
            while not stopped.wait(_WAIT_SECONDS):
                pass
    except KeyboardInterrupt:
        return
