"""The replay's report for people, in a terminal or piped."""

from hubblewatch.replay.report.report import print_report

__all__ = ["print_report"]
