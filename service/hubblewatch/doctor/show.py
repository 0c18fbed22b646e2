"""The report for people, and as JSON for scripts."""

from __future__ import annotations

from collections import Counter

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hubblewatch.doctor.examine import Report
from hubblewatch.doctor.namespace import NamespaceLook
from hubblewatch.doctor.result import Status

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_STYLES = {Status.PASS: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIP: "dim"}


def as_json(report: Report) -> bytes:
    """Give the report as one JSON object: ``checks``, their ``counts``, and ``namespace``."""
    content = {"checks": report.checks, "counts": _counts(report), "namespace": report.namespace}
    return msgspec.json.format(msgspec.json.encode(content), indent=2)


def show(report: Report, console: Console) -> None:
    """Print a table of the checks, the namespace's look where there is one, and the sum."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("check", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("found; -> what to do", overflow="fold")
    for check in report.checks:
        text = escape(check.detail)
        if check.remedy:
            text += f"\n[bold]->[/bold] {escape(check.remedy)}"
        style = _STYLES[check.status]
        table.add_row(check.id, f"[{style}]{check.status}[/{style}]", text)
    console.print(table)
    if report.namespace is not None:
        _show_namespace(report.namespace, console)
    counts = _counts(report)
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))


def _counts(report: Report) -> dict[str, int]:
    found = Counter(check.status for check in report.checks)
    return {status.value: found[status] for status in Status if found[status]}


def _show_namespace(look: NamespaceLook, console: Console) -> None:
    lines = ["", f"namespace {look.namespace}"]
    flows = look.flows
    if flows is not None:
        verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in flows.verdicts.items())
        lines.append(f"  {flows.flows:,} flow events over {flows.seconds:,.0f} s: {verdicts}")
        for title, rows in (
            (
                "denied",
                [
                    f"{each.events:6,}  {each.edge}"
                    + (f"  by {', '.join(each.policies)}" if each.policies else "")
                    for each in flows.denials
                ],
            ),
            ("DNS failures", [f"{row.events:6,}  {row.name}" for row in flows.dns_failures]),
            ("resets", [f"{row.events:6,}  {row.name}" for row in flows.resets]),
        ):
            lines.append(f"  {title}:" if rows else f"  {title}: none")
            lines += [f"    {row}" for row in rows]
    if look.windows:
        lines.append("  last closed windows:")
    lines += [
        f"    {window.start} {window.workload} {window.direction}: {window.attempts} attempts, "
        f"{window.denied} denied, {window.dropped} dropped, {window.failed} failed, "
        f"{window.dns_failures} DNS failures, {window.new_edges} new edges, "
        f"{window.completeness:.0%} seen"
        for window in look.windows
    ]
    lines.append("  active incidents:" if look.incidents else "  active incidents: none known")
    lines += [
        f"    {found.severity} {found.detector} {found.workload}"
        f"{' (on trial)' if found.shadow else ''}, last seen {found.last_seen}: {found.summary}"
        for found in look.incidents
    ]
    lines += [f"  {note}" for note in look.notes]
    for line in [*lines, ""]:
        # Names come from the cluster: none may begin a line or command the terminal.
        shown = "".join(char if char.isprintable() else REPLACEMENT for char in line)
        console.print(shown, markup=False, highlight=False, soft_wrap=True)
