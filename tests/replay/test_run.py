import random
import signal

import pytest
from tests.builders import flow, pod
from tests.connections import tcp
from tests.replay.replaying import replayed, write
from tests.running import run

from hubblewatch.flow.reject import RejectReason
from hubblewatch.replay.interruption import Interruption
from hubblewatch.replay.run import Replay
from hubblewatch.settings import Settings
from hubblewatch.source.recordings import Recording


class Seen:
    """Remembers the closings it was shown."""

    def __init__(self):
        self.windows = []

    def observe(self, closed):
        self.windows += [window.record() for window in closed.closing.windows]


def traffic(minutes=5, node="node-a", salt=0):
    """Some connections each minute, in order of time."""
    lines = []
    for minute in range(minutes):
        for number in range(20):
            client = pod(f"shop/cart-{number % 3}", node=node)
            lines += tcp(
                client,
                pod("shop/db-0", node=node),
                at=60 * minute + 2.5 * number + salt,
                from_port=40_000 + 100 * minute + number + 1_000 * salt,
            )
    return lines


def test_every_observer_is_shown_every_closing(tmp_path):
    one, other = Seen(), Seen()

    replayed([write(tmp_path / "a", traffic())], one, other)

    assert len(one.windows) == 5
    assert one.windows == other.windows == run(traffic()).windows


def test_files_of_several_nodes_count_as_one_recording(tmp_path):
    nodes = [traffic(node=f"node-{number}", salt=number) for number in range(3)]
    together = sorted((line for node in nodes for line in node), key=_time)
    apart, whole = Seen(), Seen()

    replay = replayed([write(tmp_path / str(n), node) for n, node in enumerate(nodes)], apart)
    replayed([write(tmp_path / "whole", together)], whole)

    assert apart.windows == whole.windows
    assert replay.pipeline.counts.late == 0


def test_order_of_the_names_makes_no_difference(tmp_path):
    lines = traffic(minutes=6)
    third = len(lines) // 3
    paths = [
        write(tmp_path / str(n), lines[n * third : (n + 1) * third if n < 2 else None])
        for n in range(3)
    ]
    random.Random(1).shuffle(paths)
    seen = Seen()

    replayed(paths, seen)

    assert seen.windows == run(lines).windows


def test_refused_lines_are_counted_with_their_places(tmp_path):
    path = write(tmp_path / "a", [b"no json", *traffic(1), b"[]", flow(at=1, time="yesterday")])

    replay = replayed([path])

    assert replay.rejects.total == 3
    assert replay.rejects.counts[RejectReason.TIME] == 1
    assert replay.rejects.first[RejectReason.MALFORMED][0].place == f"{path}:1"
    assert sum(replay.pipeline.counts.rejects.values()) == 3


def test_lines_and_seconds_are_known_afterwards(tmp_path):
    path = write(tmp_path / "a", traffic(1))
    now = [100.0]
    replay = Replay(Settings(), [Recording(str(path))], clock=lambda: now[0])

    replay.run([], Interruption(), on_progress=lambda: now.__setitem__(0, 102.5))

    assert replay.lines == len(traffic(1))
    assert replay.seconds == 2.5


def test_what_was_read_before_an_interruption_is_closed_and_shown(tmp_path):
    path = write(tmp_path / "a", traffic(30))
    interruption = Interruption()
    replay = Replay(Settings(), [Recording(str(path))])
    seen = Seen()

    replay.run([seen], interruption, on_progress=interruption.ask)

    assert replay.is_interrupted
    assert 0 < replay.lines < len(traffic(30))
    assert 0 < len(seen.windows) < 30
    assert seen.windows == run(traffic(30)[: replay.lines]).windows


def test_a_keyboard_interrupt_while_waiting_for_lines_ends_the_replay(tmp_path, monkeypatch):
    def waiting(self, on_reject):
        yield from whole(self, on_reject)
        raise KeyboardInterrupt

    whole = Recording.decoded
    monkeypatch.setattr(Recording, "decoded", waiting)
    seen = Seen()

    replay = replayed([write(tmp_path / "a", traffic(3))], seen)

    assert replay.is_interrupted
    assert len(seen.windows) == 3


def test_a_signal_during_the_counting_waits_for_the_end_of_the_batch():
    interruption = Interruption()
    with interruption.by_signals(signal.SIGINT):
        signal.raise_signal(signal.SIGINT)

        assert interruption.is_asked


def test_a_second_signal_raises():
    interruption = Interruption()
    with interruption.by_signals(signal.SIGINT):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_signal_while_waiting_raises_at_once():
    interruption = Interruption()
    with (
        interruption.by_signals(signal.SIGTERM),
        pytest.raises(KeyboardInterrupt),
        interruption.raised_at_once(),
    ):
        signal.raise_signal(signal.SIGTERM)

    assert interruption.is_asked


def test_the_former_signal_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption().by_signals(signal.SIGTERM):
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before


def _time(line):
    return line.rpartition(b'"time":"')[2]
