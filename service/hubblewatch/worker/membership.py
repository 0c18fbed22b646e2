"""Under which name this worker is a member of its consumer group."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping

_STATEFUL_POD = re.compile(r"[a-z0-9.-]+-\d+")


def instance_name(
    configured: str | None,
    variables: Mapping[str, str] = os.environ,
    host: str | None = None,
) -> str | None:
    """Return the static member name: the configured one, else that of a StatefulSet's pod.

    Such a pod keeps its name over restarts. Any other name would only keep partitions waiting for
    somebody who never comes back, or be shared by two workers of one machine, which would end each
    other; None stands for a member that leaves when it stops.
    """
    if configured is not None:
        return configured
    host = socket.gethostname() if host is None else host
    in_kubernetes = "KUBERNETES_SERVICE_HOST" in variables
    return host if in_kubernetes and _STATEFUL_POD.fullmatch(host) else None
