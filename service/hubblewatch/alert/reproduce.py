"""The ``hubble observe`` command that shows the flows behind a finding."""

from __future__ import annotations

import shlex

from hubblewatch.detectors.finding import Finding
from hubblewatch.flow.timestamp import format_seconds

_MAX_PORTS = 5
"""With more the command would be long, and with some of them it would hide the others."""


def observe_command(finding: Finding, start: int, end: int) -> str:
    """Give the command for the finding's flows until ``end``.

    They begin at ``start``, or before where the finding tells of more. Ports narrow it only where
    they are few and all that the finding is about.

    Names are quoted for a POSIX shell. Pods are named by prefix, which is how Hubble's
    ``--from-pod`` and ``--to-pod`` match.
    """
    subject = finding.subject
    if finding.since is not None:
        start = min(start, finding.since)
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
    if len(finding.ports) <= _MAX_PORTS and not finding.unnamed.ports:
        for port in finding.ports:
            words += ["--to-port", str(port)]
    return shlex.join(words)
