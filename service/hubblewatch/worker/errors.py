"""What ends a run of the worker. The next run begins at the committed offsets.

RunError
├── LedgerError
│   └── FencedError
├── JumpError
├── DefectError
└── FaustError
"""

from __future__ import annotations

from typing import ClassVar

from hubblewatch.errors import HubblewatchError


class RunError(HubblewatchError):
    """This run cannot go on, the next one can; ``reason`` is a metric's label."""

    reason: ClassVar[str] = "other"


class LedgerError(RunError):
    """A restore or a commit failed.

    Whether a commit that failed is in the log is unknown until the partition is opened again: its
    answer may have been lost. Memory is ahead of the log or beside it, so it has to go.
    """

    reason = "kafka"


class FencedError(LedgerError):
    """Another worker has opened the partition since; nothing of the commit is visible."""

    reason = "fenced"


class JumpError(RunError):
    """The first record of a partition was not the one that was to come.

    A run with fresh buffers tells a record that is gone from one of a former assignment.
    """

    reason = "jump"


class DefectError(RunError):
    """The pipeline failed on a record: a defect of this program."""

    reason = "defect"


class FaustError(RunError):
    """Faust did not start, or crashed."""

    reason = "faust"
