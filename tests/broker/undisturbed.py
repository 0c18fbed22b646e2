"""What workers write of twelve partitions when nothing happens to them, without a broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from hubblewatch.alert.record import encode_alert
from hubblewatch.assemble import build_pipeline
from hubblewatch.flow.reject import Reject
from hubblewatch.settings import Settings
from hubblewatch.worker.partition import PartitionState


@dataclass
class Written:
    """Windows and alert records as JSON, each sorted."""

    windows: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)


def undisturbed_run(streams: Sequence[Sequence[bytes]]) -> Written:
    """Read every partition from begin to end."""
    written = Written()
    for number, stream in enumerate(streams):
        pipeline = build_pipeline(Settings(), _refuse, judges_source=number == 0)
        partition = PartitionState(number, pipeline, 0, _refuse)
        for offset, value in enumerate(stream):
            commit = partition.take(value, offset)
            for closed in commit.closed if commit is not None else ():
                written.windows += [
                    _sorted_json(msgspec.json.encode(window.record()))
                    for window in closed.closing.windows
                ]
                written.alerts += [_sorted_json(encode_alert(alert)) for alert in closed.alerts]
    written.windows.sort()
    written.alerts.sort()
    return written


def _sorted_json(value: bytes) -> str:
    return json.dumps(json.loads(value), sort_keys=True)


def _refuse(reject: Reject) -> None:
    raise AssertionError(reject)
