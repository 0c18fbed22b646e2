"""Is the file of suppressions right, and is any entry out of date?"""

from __future__ import annotations

from hubblewatch.doctor.result import CheckResult, failed, passed, skipped, warned
from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import Settings
from hubblewatch.settings.suppressions_file import SuppressionsFile

CHECK = "suppressions"


def check_suppressions(settings: Settings, now: int) -> CheckResult:
    """Read the file as the worker does; ``now`` is in epoch seconds."""
    path = settings.suppressions
    if path is None:
        return skipped(CHECK, "suppressions is not set: nothing is suppressed")
    try:
        suppressions = SuppressionsFile(path, lambda: 0.0).current()
    except ConfigurationError as error:
        return failed(CHECK, str(error), f"mend {path}; a worker would not start with it")
    count = len(suppressions.entries)
    entries = f"{count} {'entry' if count == 1 else 'entries'} in {path}"
    expired = suppressions.expired(now)
    if expired:
        return warned(
            CHECK,
            f"{entries}, of which {len(expired)} expired: {', '.join(expired)}",
            "they suppress nothing any more: delete them, or give them a new date",
        )
    return passed(CHECK, entries)
