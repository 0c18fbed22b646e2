"""Numbers, times and foreign names as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from hubblewatch.detectors.finding import Severity
from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.window.closed import INBOUND, Subject

SEVERITY_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}


def printable(text: str) -> str:
    """Replace what a terminal would obey: with foreign names, escapes could come."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shown(text: str, style: str = "") -> Text:
    """Give foreign text as it is: neither markup nor control characters in it take effect."""
    return Text(printable(text), style=style)


def number(value: float) -> str:
    """Give a count with thousands apart, other numbers with one digit behind the point."""
    if value != int(value):
        return f"{value:,.1f}"
    return f"{int(value):,}"


def counted(count: int, noun: str) -> str:
    """Give '1 line', '1,234 lines'."""
    return f"{number(count)} {noun}" + "s" * (count != 1)


def share(value: float) -> str:
    """Give a percentage that says 100 only for all, and 0 only for none."""
    percent = 100 * value
    if 99.9 < percent < 100:
        return "99.9 %"
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:.1f} %"


def counts_by_name(counts: Mapping[str, int]) -> str:
    """Give 'a 3, b 1', highest first."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    return ", ".join(f"{printable(str(name))} {number(count)}" for name, count in ordered if count)


def subject_name(subject: Subject) -> str:
    """Give 'namespace/workload', with the direction where it is not the usual one."""
    name = f"{subject.namespace}/{subject.workload}"
    return f"{name} (inbound)" if subject.direction == INBOUND else name


def clock_time(seconds: int, with_date: bool) -> str:
    """Give the time of day in UTC, with the date where a recording has several."""
    text = format_seconds(seconds)
    return f"{text[:10]} {text[11:19]}" if with_date else text[11:19]


def duration(seconds: float) -> str:
    """Give a length of time in the unit that fits."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"
