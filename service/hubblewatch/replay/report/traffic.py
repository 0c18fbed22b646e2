"""Who talks to whom, and what is denied."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from hubblewatch.replay.heavy_hitters import HeavyHitters
from hubblewatch.replay.report.overview import spans_days
from hubblewatch.replay.report.wording import clock_time, number, share, shown, subject_name
from hubblewatch.replay.summary import Flight, Summary
from hubblewatch.window.closed import Subject

ROWS = 8


def traffic_tables(summary: Summary) -> Iterator[Table]:
    """Give the tables that have anything to show."""
    if len(summary.talkers):
        yield _talkers(summary)
    if len(summary.edges):
        yield _edges("Busiest edges", summary.edges)
    if len(summary.denied_edges):
        yield _denied_edges(summary)
        yield _recent_denials(summary)
    if len(summary.dns_failures):
        yield _dns_failures(summary.dns_failures)


def table(title: str) -> Table:
    """Give an empty table in the report's form."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        expand=False,
    )


def _titled(title: str, counters: HeavyHitters[Subject] | HeavyHitters[Flight]) -> str:
    if counters.floor:
        return f"{title} (of very many; counts are up to {number(counters.floor)} too high)"
    return title


def _talkers(summary: Summary) -> Table:
    unsuccessful = dict(summary.unsuccessful.top(len(summary.unsuccessful)))
    talkers = table(_titled("Busiest workloads", summary.talkers))
    talkers.add_column("Workload", overflow="fold")
    talkers.add_column("Attempts", justify="right", no_wrap=True)
    talkers.add_column("Unsuccessful", justify="right", no_wrap=True)
    for subject, attempts in summary.talkers.top(ROWS):
        failed = unsuccessful.get(subject, 0)
        talkers.add_row(
            shown(subject_name(subject)),
            number(attempts),
            f"{number(failed)} ({share(failed / attempts)})" if failed else "",
        )
    return talkers


def _edges(title: str, edges: HeavyHitters[Flight]) -> Table:
    rows = table(_titled(title, edges))
    rows.add_column("Edge", overflow="fold")
    rows.add_column("Attempts", justify="right", no_wrap=True)
    for flight, attempts in edges.top(ROWS):
        rows.add_row(shown(str(flight)), number(attempts))
    return rows


def _denied_edges(summary: Summary) -> Table:
    rows = table(_titled("Most denied edges", summary.denied_edges))
    rows.add_column("Edge", overflow="fold")
    rows.add_column("Denied", justify="right", no_wrap=True)
    rows.add_column("Policies", overflow="fold")
    for flight, denied in summary.denied_edges.top(ROWS):
        policies = summary.policies.get(flight, ())
        rows.add_row(shown(str(flight)), number(denied), shown(", ".join(policies)))
    return rows


def _recent_denials(summary: Summary) -> Table:
    rows = table("Last denials")
    rows.add_column("Window", no_wrap=True)
    rows.add_column("Edge", overflow="fold")
    rows.add_column("Denied", justify="right", no_wrap=True)
    with_date = spans_days(summary)
    for denial in summary.denials:
        rows.add_row(
            clock_time(denial.start, with_date), shown(str(denial.flight)), number(denial.attempts)
        )
    return rows


def _dns_failures(failures: HeavyHitters[Subject]) -> Table:
    rows = table(_titled("DNS failures", failures))
    rows.add_column("Workload", overflow="fold")
    rows.add_column("Failed answers", justify="right", no_wrap=True)
    for subject, failed in failures.top(ROWS):
        rows.add_row(shown(subject_name(subject)), number(failed))
    return rows
