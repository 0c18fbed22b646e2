"""The ``hubble observe`` command that shows the flows behind a finding."""

from __future__ import annotations

import shlex

from hubblewatch.detectors.finding import Finding
from hubblewatch.flow.timestamp import format_seconds

_MAX_PORTS = 5


def observe_command(finding: Finding, start: int, end: int) -> str:
    """Give the command for flows of ``[start, end)``; names are quoted for a POSIX shell.

    Pods are named by prefix, which is how Hubble's ``--from-pod`` and ``--to-pod`` match.
    """
    subject = finding.subject
    words = ["hubble", "observe", "--since", format_seconds(start), "--until", format_seconds(end)]
    if subject.workload and subject.namespace:
        side = "--to-pod" if subject.direction == "inbound" else "--from-pod"
        words += [side, f"{subject.namespace}/{subject.workload}"]
    elif subject.namespace:
        words += ["--namespace", subject.namespace]
    if finding.verdict:
        words += ["--verdict", finding.verdict]
    if finding.protocol:
        words += ["--protocol", finding.protocol]
    for port in finding.ports[:_MAX_PORTS]:
        words += ["--to-port", str(port)]
    return shlex.join(words)
