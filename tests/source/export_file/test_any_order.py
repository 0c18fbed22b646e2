"""Whatever agent and reader do in whatever order, no line is missing and none changes places."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.source.export_file.agent import Agent, Reader

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 120)),
        st.tuples(st.just("split"), st.integers(1, 400)),
        st.tuples(st.just("rotate"), st.booleans()),
        st.tuples(st.just("pack"), st.just(0)),
        st.tuples(st.just("step"), st.integers(1, 4)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("confirm"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=30,
)


class Story:
    """An agent and a reader that is restarted; what arrived of each run."""

    def __init__(self, folder: Path, form: str | None) -> None:
        self._form = form
        self.agent = Agent(folder / "events.log")
        self.agent.path.touch()
        self.runs: list[list[str]] = []
        self._position = folder / "position"
        self._half = b""
        self.start()

    def start(self) -> None:
        self.reader = Reader([str(self.agent.path)], self._position)
        self.runs.append([])

    def step(self) -> bool:
        before = len(self.reader.lines)
        given = self.reader.step()
        self.runs[-1] += [line.flow.uuid for line in self.reader.lines[before:] if line.flow]
        return given is not None

    def act(self, what: str, amount: int) -> None:
        agent = self.agent
        if what in ("write", "split", "rotate") and self._half:
            agent.append(self._half)
            self._half = b""
        if what == "write":
            agent.write(amount)
        elif what == "split":
            text = agent.lines(1)
            agent.append(text[:amount])
            self._half = text[amount:]
        elif what == "rotate":
            if self._form is None:
                agent.rotate(is_packed=bool(amount))
            else:
                agent.rename(self._form, is_packed=bool(amount))
        elif what == "pack":
            for rotated in agent.path.parent.glob("events[.-]*[0-9]*"):
                if not rotated.name.endswith(".gz"):
                    agent.pack(rotated)
        elif what == "step":
            for _ in range(amount):
                self.step()
        elif what == "read":
            while self.step():
                pass
        elif what == "confirm":
            asyncio.run(self.reader.source.confirm(self.reader.source.position()))
        else:
            self.reader.source.release()
            self.start()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, form=st.sampled_from([None, ".{}", "-{}", ".{}-101112"]))
def test_every_line_arrives_in_its_order(steps: list[tuple[str, int]], form: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), form)
        # What others have renamed is looked for behind what was read.
        begin = [] if form is None else [("write", 1), ("read", 0), ("confirm", 0)]
        for what, amount in begin + steps:
            story.act(what, amount)
        story.act("write", 1)
        story.act("read", 0)
        story.reader.source.release()
        assert {name for run in story.runs for name in run} == set(story.agent.written)
        for run in story.runs:
            assert all(int(later) == int(name) + 1 for name, later in pairwise(run))
        assert story.reader.source.counts.gaps == 0
        assert not story.reader.rejects
