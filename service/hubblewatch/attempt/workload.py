"""The workload of a pod from the pod's name.

Hubble names the workload only on the node that hosts the pod; for the other end of a connection the
name has to be read off the pod's, by the forms that Kubernetes' controllers give it. Generated
suffixes use an alphabet without vowels and look-alikes (``k8s.io/apimachinery/pkg/util/rand``),
which keeps ordinary words from being taken for one.
"""

from __future__ import annotations

import re
from functools import lru_cache

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"

_CRON_JOB = rf"(.+?)-[1-3]\d{{7,9}}(?:-\d{{1,5}})?-{_RANDOM}{{5}}"
"""Name, epoch minutes of the schedule (once seconds), pod suffix; an indexed Job's pod has its
index, too. Such a time begins with 1 to 3. The hash of a ReplicaSet never does: its digits are 4 to
9, and one hash in a hundred is all digits."""

_FORMS = tuple(
    re.compile(form)
    for form in (
        _CRON_JOB,
        # Deployment: name, hash of the ReplicaSet, pod suffix.
        rf"(.+)-{_RANDOM}{{6,10}}-{_RANDOM}{{5}}",
        # Indexed Job: name, index, pod suffix.
        rf"(.+)-\d+-{_RANDOM}{{5}}",
        # DaemonSet, bare ReplicaSet, Job: name, pod suffix.
        rf"(.+)-{_RANDOM}{{5}}",
        # StatefulSet: name, ordinal.
        r"(.+)-\d{1,5}",
    )
)


@lru_cache(maxsize=65_536)
def workload_from_pod_name(pod_name: str) -> str:
    """Give the workload's name; the pod's own name where it has no controller's form."""
    for form in _FORMS:
        match = form.fullmatch(pod_name)
        if match is not None:
            return match.group(1)
    return pod_name


@lru_cache(maxsize=65_536)
def is_scheduled(pod_name: str) -> bool:
    """Tell whether a CronJob started a pod: it works for a while, and its end is no failure."""
    return _FORMS[0].fullmatch(pod_name) is not None
