"""Flows of this moment, to be fed to an agent."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from tests.source.hubble.honest import Response, as_json
from tests.source.hubble.test_response import fill


def flow_now(uuid: str, node: str = "worker-1") -> bytes:
    """A line of a flow that says much at random, and when and where it was seen."""
    response = Response()
    fill(response.flow, Random(uuid))
    response.flow.time.FromDatetime(datetime.now(UTC))
    response.flow.uuid = uuid
    response.flow.node_name = node
    response.time.CopyFrom(response.flow.time)
    return as_json(response.SerializeToString())
