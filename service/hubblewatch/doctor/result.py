"""What one check found, and what all of them together mean."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Status(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 -- no password
    WARN = "warn"
    """It works, and something is missing or will go wrong."""
    FAIL = "fail"
    SKIP = "skip"
    """It does not apply; the detail says why."""


class CheckResult(Struct, frozen=True):
    """One line of the report: ``detail`` is what was found, ``remedy`` what to do about it."""

    id: str
    status: Status
    detail: str
    remedy: str = ""


def passed(check: str, detail: str) -> CheckResult:
    """Give the result of a check that found all well."""
    return CheckResult(check, Status.PASS, detail)


def warned(check: str, detail: str, remedy: str) -> CheckResult:
    """Give the result of a check that found something to look after."""
    return CheckResult(check, Status.WARN, detail, remedy)


def failed(check: str, detail: str, remedy: str = "") -> CheckResult:
    """Give the result of a check that found something broken."""
    return CheckResult(check, Status.FAIL, detail, remedy)


def skipped(check: str, why: str, remedy: str = "") -> CheckResult:
    """Give the result of a check that does not apply."""
    return CheckResult(check, Status.SKIP, why, remedy)


def told(check: str, error: Exception) -> CheckResult:
    """Give a failure from an error whose words are ``what is wrong; what to do``."""
    what, remedy = _halves(str(error))
    return failed(check, what, remedy)


def has_failed(results: Sequence[CheckResult]) -> bool:
    """Tell whether anything is broken."""
    return any(result.status is Status.FAIL for result in results)


def _halves(text: str) -> tuple[str, str]:
    """Split at the first semicolon that is not in parentheses, where other programs' words are."""
    depth = 0
    for place, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif depth == 0 and text.startswith("; ", place):
            return text[:place], text[place + 2 :]
    return text, ""
